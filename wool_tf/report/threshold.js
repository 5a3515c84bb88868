// Counts misses and false alarms over the held-out scores as the threshold moves. Works offline; a printed page shows
// the delivered threshold.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("scores").textContent);
  const slider = document.getElementById("threshold");
  const ratio = document.getElementById("ratio");
  const show = (id, text) => { document.getElementById(id).textContent = text; };
  // The slider is linear in log odds, where scores near 0 and 1 are told apart.
  const score = (odds) => 1 / (1 + Math.exp(-odds));
  const odds = (p) => Math.log(Math.min(Math.max(p, 1e-6), 1 - 1e-6) / (1 - Math.min(Math.max(p, 1e-6), 1 - 1e-6)));
  const defective = data.images.filter((image) => image[1] === 1);
  const sound = data.images.filter((image) => image[1] === 0);

  const list = (id, images) => {
    const parts = images.slice(0, 30).map((image) => {
      const item = document.createElement("li");
      item.textContent = `${image[3]}${image[2] ? ` (${image[2]})` : ""}, score ${image[0].toFixed(3)}`;
      return item;
    });
    document.getElementById(id).replaceChildren(...parts);
  };

  const byType = (missed) => {
    const counts = new Map();
    for (const image of defective) {
      for (const kind of new Set(image[2].split("+").filter(Boolean))) {
        const found = counts.get(kind) || [0, 0];
        found[1] += 1;
        if (missed.includes(image)) found[0] += 1;
        counts.set(kind, found);
      }
    }
    return [...counts].sort().map(([kind, [lost, all]]) => `${kind} ${lost} of ${all}`).join(", ");
  };

  const update = () => {
    const threshold = score(Number(slider.value));
    const missed = defective.filter((image) => image[0] < threshold).sort((a, b) => a[0] - b[0]);
    const alarms = sound.filter((image) => image[0] >= threshold).sort((a, b) => b[0] - a[0]);
    show("at", threshold.toFixed(4));
    show("missed", `${missed.length} of ${defective.length}`);
    show("alarms", `${alarms.length} of ${sound.length}`);
    if (data.tiles) show("area", (data.tiles * alarms.length / sound.length).toFixed(1));
    show("types", byType(missed) || "types are not known");
    show("deliver", data.command.replace("THRESHOLD", threshold.toFixed(4)));
    list("missed-images", missed);
    list("alarm-images", alarms);
  };

  const cheapest = () => {
    const cost = Number(ratio.value);
    if (!(cost > 0)) return;
    const limits = [...new Set(data.images.map((image) => image[0]))].sort((a, b) => a - b);
    let best = [Infinity, 0.5];
    limits.forEach((limit, place) => {
      const below = place ? limits[place - 1] : 0;
      const spent = cost * defective.filter((image) => image[0] < limit).length
        + sound.filter((image) => image[0] >= limit).length;
      if (spent < best[0]) best = [spent, score((odds(limit) + odds(below)) / 2)];
    });
    slider.value = odds(best[1]);
    update();
  };

  slider.addEventListener("input", update);
  ratio.addEventListener("input", cheapest);
  slider.value = odds(data.threshold);
  ratio.value = data.ratio;
  update();
  document.getElementById("slider").hidden = false;
})();
