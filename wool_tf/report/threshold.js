// Counts misses and false alarms over the held-out scores as the threshold moves. Works offline; a printed page shows
// the delivered threshold. What is counted, shown and delivered is one number: a rounded one might call others.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("scores").textContent);
  const slider = document.getElementById("threshold");
  const ratio = document.getElementById("ratio");
  const show = (id, text) => { document.getElementById(id).textContent = text; };
  // The slider is linear in log odds, where scores near 0 and 1 are told apart.
  const score = (odds) => 1 / (1 + Math.exp(-odds));
  const clipped = (p) => Math.min(Math.max(p, 1e-15), 1 - 1e-15);
  const odds = (p) => Math.log(clipped(p) / (1 - clipped(p)));
  const digits = (p) => Math.min(15, Math.max(4, 3 - Math.floor(Math.log10(clipped(Math.min(p, 1 - p))))));
  let threshold = data.threshold;
  const defective = data.images.filter((image) => image[1] === 1);
  const sound = data.images.filter((image) => image[1] === 0);

  const thumbnail = (jpeg) => {
    const picture = document.createElement("img");
    picture.src = `data:image/jpeg;base64,${jpeg}`;
    picture.alt = "";
    const place = document.createElement("div");
    place.className = "located";
    place.append(picture);
    return place;
  };

  const LISTED = 200;
  const entry = (image) => {
    const item = document.createElement("li");
    const shown = document.querySelector(`#examples figure[data-image="${image[4]}"] .located`);
    if (shown) item.append(shown.cloneNode(true));
    else if (data.thumbnails[image[4]]) item.append(thumbnail(data.thumbnails[image[4]]));
    item.append(`${image[3]}${image[2] ? ` (${image[2]})` : ""}, score ${image[0].toFixed(digits(image[0]))}`);
    return item;
  };
  const list = (id, images) => {
    const parts = images.slice(0, LISTED).map(entry);
    if (images.length > LISTED) {
      const more = document.createElement("li");
      more.textContent = `and ${images.length - LISTED} more`;
      parts.push(more);
    }
    document.getElementById(id).replaceChildren(...parts);
  };

  // A command, whose lines break between words and not at the dashes of a flag.
  const write = (id, command) => {
    const words = command.split(" ").flatMap((text, place) => {
      const word = document.createElement("span");
      word.className = "word";
      word.textContent = text;
      return place ? [" ", word] : [word];
    });
    document.getElementById(id).replaceChildren(...words);
  };

  const byType = () => {
    const counts = new Map();
    for (const image of defective) {
      for (const kind of new Set(image[2].split("+").filter(Boolean))) {
        const found = counts.get(kind) || [0, 0];
        found[1] += 1;
        if (image[0] < threshold) found[0] += 1;
        counts.set(kind, found);
      }
    }
    const named = (kind) => (data.types[kind] ? `${kind} ${data.types[kind]}` : kind);
    return [...counts].sort().map(([kind, [lost, all]]) => `${named(kind)}: ${lost} of ${all}`).join(", ");
  };

  const update = () => {
    const missed = defective.filter((image) => image[0] < threshold).sort((a, b) => a[0] - b[0]);
    const alarms = sound.filter((image) => image[0] >= threshold).sort((a, b) => b[0] - a[0]);
    show("at", threshold.toFixed(digits(threshold)));
    show("missed", `${missed.length} of ${defective.length}`);
    show("alarms", `${alarms.length} of ${sound.length}`);
    if (data.tiles) {
      const belt = data.tiles * alarms.length / Math.max(sound.length, 1);
      const width = Number(document.getElementById("width").value);
      show("area", belt.toFixed(1));
      show("metre", width > 0 ? (belt * width).toFixed(1) : "–");
    }
    show("types", byType() || "types are not known");
    write("deliver", data.command.replace("THRESHOLD", () => String(threshold)));
    list("missed-images", missed);
    list("alarm-images", alarms);
  };

  // The rule of the delivery: from the calibrated probability on at which both errors cost the same.
  const fromRatio = () => {
    const cost = Number(ratio.value);
    if (!(cost > 0)) return;
    threshold = score((-Math.log(cost) - data.calibration.offset) / data.calibration.slope);
    slider.value = odds(threshold);
    update();
  };

  // What a miss costs where this threshold is the right one.
  const showRatio = () => {
    const cost = Math.exp(-data.calibration.slope * odds(threshold) - data.calibration.offset);
    ratio.value = Number(cost.toPrecision(3));
  };

  slider.addEventListener("input", () => {
    const moved = score(Number(slider.value));
    threshold = Number(moved.toFixed(digits(moved)));
    showRatio();
    update();
  });
  ratio.addEventListener("input", fromRatio);
  if (data.tiles) document.getElementById("width").addEventListener("input", update);
  slider.value = odds(data.threshold);
  showRatio();
  update();
  document.getElementById("slider").hidden = false;
})();
