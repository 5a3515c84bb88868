"use strict";
/* Everything of the page but the belt itself. Text from outside goes into the page as text, never as HTML. */

const POLL_MS = 5000, QUIET_MS = 20000;
const $ = (name) => document.getElementById(name);
const belt = new Belt($("belt"));
const seen = {tiles: 0, dropped: 0, offset: Infinity, late: 0, worst: 0};
let right = null, source = null, heard = 0, question = null, latest = null;

/* Local time, with the day unless it is today. Swedish dates are those of ISO 8601. */
function time(seconds) {
  const moment = new Date(1000 * seconds), day = moment.toLocaleDateString("sv-SE");
  return `${day === new Date().toLocaleDateString("sv-SE") ? "" : `${day} `}${moment.toLocaleTimeString("sv-SE")}`;
}

function element(kind, text, className = "") {
  const made = document.createElement(kind);
  made.textContent = text;
  made.className = className;
  return made;
}

async function call(path, body) {
  const options = body ? {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)} : {};
  const answer = await fetch(path, {...options, credentials: "same-origin"});
  const said = await answer.json().catch(() => ({}));
  return {status: answer.status, ok: answer.ok, said};
}

/* Once in a while: the shift, rejects, alarms. */
async function poll() {
  let answer;
  try {
    answer = await call("/api/state");
  } catch {
    return status("bad", "The station does not answer");
  }
  if (answer.status === 401) return showLogin();
  $("login").hidden = true;
  $("main").hidden = false;
  if (!answer.said.live) return status("bad", "The station does not answer");
  show(answer.said);
  if (!source) listen();
}

function show(said) {
  latest = said;
  right = said.right;
  $("logout").hidden = !said.asks;
  $("operator-label").hidden = right !== "write";
  document.body.classList.toggle("writes", right === "write");
  showLive(said.live, said.standing ?? [], said.recorded ?? true);
  if (said.error) return status("bad", said.error);
  showShift(said.shift, said.live.summary);
  showMachine(said.machine, said.live.summary);
  showRejects(said.rejects, said.corrections, said.verdicts);
  showAlarms(said.alarms);
  showCorrections(said.corrections, said.verdicts);
  showPieces(said.pieces);
  showChallenges(said.challenges);
  $("watch").textContent = said.watch?.text ?? "";
  $("models-block").hidden = said.models.length === 0;
  $("models").replaceChildren(...said.models.map((one) => timed(one.time,
    `${one.operator || "somebody"}: ${one.action} ${one.file} (${one.sha256.slice(0, 8)}) ${one.note}`)));
  $("types").replaceChildren(...said.types.map((type) => Object.assign(document.createElement("option"), {value: type})));
}

function status(kind, text) {
  $("status").className = kind;
  $("status-text").textContent = text;
}

function showLive(live, own, recorded) {
  const start = live.start, standing = [...live.standing, ...own];
  if (!live.connected) status("bad", "The inspection is not heard of");
  else if (!recorded) status("bad", "Inspecting, but nothing is recorded: does the recorder run, and is its disk full?");
  else if (standing.length) status("bad", `Inspecting, with ${standing.length} alarm${standing.length > 1 ? "s" : ""}`);
  else status("good", "Inspecting");
  if (start) {
    const name = start.model.split("/").pop();
    $("model").textContent = `Model ${name} (${start.sha256.slice(0, 8)}, ${start.precision}), threshold ${start.threshold}`;
    belt.begin(start, live.inspection);
  }
  $("standing").replaceChildren(...standing.map((alarm) => element("li", `${alarm.alarm}: ${alarm.text}`)));
}

function list(target, rows) {
  target.replaceChildren(...rows.flatMap(([name, value, className = ""]) =>
    [element("dt", name, className), element("dd", value, className)]));
}

function metres(mm) { return `${(mm / 1000).toFixed(mm < 1e5 ? 1 : 0)} m`; }

function percent(part, whole) { return whole ? `${((100 * part) / whole).toFixed(2)} %` : "–"; }

function showShift(shift, summary) {
  if (!shift) return list($("figures"), [["Nothing is recorded yet", ""]]);
  $("shift").textContent = `since ${shift.name.replace("T", " ")}`;
  const product = shift.seen_mm + shift.unseen_mm;
  const missing = shift.unseen_mm + shift.untold_mm;
  list($("figures"), [
    ["Rejects", String(shift.rejects), "big"],
    ["Rejects per 100 m of product", product ? ((1e5 * shift.rejects) / product).toFixed(1) : "–"],
    ["Defective tiles", `${shift.defective} of ${shift.tiles} (${percent(shift.defective, shift.tiles)})`],
    ["Product inspected", metres(shift.seen_mm)],
    ["Not inspected", metres(shift.unseen_mm), shift.unseen_mm ? "alert" : ""],
    ["Not recorded", metres(shift.untold_mm), shift.untold_mm ? "alert" : ""],
    ["Empty belt", metres(shift.air_mm)],
    ...(summary ? [["Tiles a second", String(summary.tiles_per_second)]] : []),
  ]);
  $("figures").classList.toggle("missing", missing > 0);
}

function showMachine(machine, summary) {
  const rows = [];
  if (machine.temperature !== null)
    rows.push(["Temperature", `${machine.temperature.toFixed(0)} °C`, machine.temperature >= machine.hot ? "alert" : ""]);
  if (machine.throttled)
    rows.push(["Slowed down by", machine.throttled.join(", ") || "nothing", machine.throttled.length ? "alert" : ""]);
  if (machine.throttled_before && machine.throttled_before.length)
    rows.push(["Since its start", machine.throttled_before.join(", ")]);
  if (summary) {
    rows.push(["Overlap thinned", summary.level ? `level ${summary.level}` : "no", summary.level ? "alert" : ""]);
    rows.push(["Lines lost", String(summary.lost_lines), summary.lost_lines ? "alert" : ""]);
    rows.push(["Open beam", `${summary.beam_percent > 0 ? "+" : ""}${summary.beam_percent} %`]);
    rows.push(["Memory", `${summary.peak_memory_mb} MB`]);
  }
  list($("machine"), rows.length ? rows : [["Nothing is known yet", ""]]);
}

function showRejects(rejects, corrections, verdicts) {
  $("no-rejects").hidden = rejects.length > 0;
  const said = new Map();
  for (const one of corrections) if (one.tile && !said.has(one.tile)) said.set(one.tile, one);
  const before = new Map([...$("rejects").children].map((made) => [made.dataset.tile, made]));
  $("rejects").replaceChildren(...rejects.map((tile) => card(before.get(key(tile)) ?? newCard(tile), tile, said.get(tile.id), verdicts)));
}

/* What no other tile has: a store that takes the place of a damaged one numbers its tiles anew. */
function key(tile) { return `${tile.id}-${tile.time}`; }

function newCard(tile) {
  const made = $("reject-template").content.firstElementChild.cloneNode(true);
  made.dataset.tile = key(tile);
  const image = made.querySelector("img");
  image.hidden = !tile.has_picture;
  made.querySelector(".gone").hidden = tile.has_picture;
  if (tile.has_picture) {
    image.alt = `Tile ${tile.id}`;
    // The browser keeps pictures by their addresses.
    image.src = `/api/pictures/${tile.id}?${key(tile)}`;
    if (tile.heatmap) drawHeat(made.querySelector("canvas"), bytes(tile.heatmap), tile.grid);
  }
  made.querySelector(".wrong").onclick = () => ask("wrongly_rejected", {tile: tile.id}, where(tile));
  made.querySelector(".defect").onclick = () => ask("defect", {tile: tile.id}, where(tile));
  return made;
}

function where(tile) {
  return `${time(tile.time)} · ${(tile.start_mm / 1000).toFixed(2)} m, ${tile.left_mm.toFixed(0)}–${tile.right_mm.toFixed(0)} mm across`;
}

function card(made, tile, correction, verdicts) {
  // Each time, for what was of today is of yesterday after midnight.
  made.querySelector(".where").textContent = `${where(tile)} · score ${tile.score.toFixed(3)}`;
  made.querySelector(".buttons").hidden = right !== "write";
  const verdict = made.querySelector(".verdict");
  verdict.hidden = !correction || correction.verdict === "withdrawn";
  if (correction) verdict.textContent = `${describe(correction, verdicts)} (${correction.operator})`;
  return made;
}

function describe(correction, verdicts) {
  if (correction.verdict === "defect") return `defect: ${correction.defect}`;
  return verdicts[correction.verdict] + (correction.defect ? `: ${correction.defect}` : "");
}

/* The heatmap of a whole tile, of which the network does not see the margin. */
function drawHeat(canvas, cells, grid) {
  const side = belt.start ? belt.start.side : 1, margin = belt.start ? belt.margin : 0;
  canvas.width = canvas.height = 200;
  const context = canvas.getContext("2d"), edge = (margin / side) * 200, inner = 200 - 2 * edge;
  context.fillStyle = `rgb(${HEAT.join(",")})`;
  cells.forEach((cell, at) => {
    const row = Math.floor(at / grid[1]), column = at % grid[1];
    context.globalAlpha = (STRONGEST * cell) / 255;
    context.fillRect(edge + (column * inner) / grid[1], edge + (row * inner) / grid[0], inner / grid[1], inner / grid[0]);
  });
}

function timed(seconds, text) {
  const item = element("li", "");
  item.append(element("time", time(seconds)), text);
  return item;
}

function showAlarms(alarms) {
  $("no-alarms").hidden = alarms.length > 0;
  $("alarms").replaceChildren(...alarms.map((alarm) => timed(alarm.time, `${alarm.alarm}: ${alarm.text}`)));
}

function showPieces(pieces) {
  const now = Date.now() / 1000;
  list($("pieces"), pieces.map((piece) => {
    if (piece.failed) return [piece.name, "not found", "alert"];
    const minutes = Math.round((piece.due - now) / 60);
    if (minutes >= 0) return [piece.name, `due in ${minutes} min`];
    return [piece.name, piece.found === null ? "due, never found" : `due since ${-minutes} min`, "alert"];
  }));
  $("piece-names").replaceChildren(...pieces.map((piece) => Object.assign(element("option", ""), {value: piece.name})));
}

function showChallenges(challenges) {
  const outcomes = {found: "found", missed: "NOT FOUND"};
  $("no-challenges").hidden = challenges.length > 0;
  $("challenges").replaceChildren(...challenges.map((one) => timed(one.time,
    `${one.operator}: ${one.piece}, ${outcomes[one.outcome] ?? `awaited until ${time(one.until)}`}`)));
}

function showCorrections(corrections, verdicts) {
  $("no-corrections").hidden = corrections.length > 0;
  $("corrections").replaceChildren(...corrections.map((one) => {
    const item = timed(one.time, `${one.operator}: ${describe(one, verdicts)}, at ${(one.start_mm / 1000).toFixed(2)} m `);
    if (right === "write" && one.tile && one.verdict !== "withdrawn") {
      const button = element("button", "Withdraw");
      button.onclick = () => ask("withdrawn", {tile: one.tile}, describe(one, verdicts));
      item.append(button);
    }
    return item;
  }));
}

/* What passes. */
function listen() {
  source = new EventSource("/api/events");
  // After a loss it may be another machine's clock, or that of one that was off meanwhile.
  source.onopen = () => { seen.offset = Infinity; };
  source.onmessage = (message) => {
    heard = Date.now();
    for (const event of JSON.parse(message.data)) hear(event);
    showLag();
  };
  source.onerror = () => {
    status("bad", "The station does not answer");
    // A browser does not try again what was refused; the next poll does.
    if (source.readyState !== EventSource.CLOSED) return;
    source = null;
    $("lag").textContent = "The belt cannot be shown now: too many pages are open, or the station is busy. Trying again.";
  };
}

function hear(event) {
  if (event.sent) {
    // Both clocks only go on, but from different moments: what counts is how much later than the quickest message one comes.
    const delay = performance.now() - 1000 * event.sent;
    seen.offset = Math.min(seen.offset, delay);
    seen.late = delay - seen.offset;
    seen.worst = Math.max(seen.worst, seen.late);
  }
  if (event.event === "start") belt.begin(event, event.inspection);
  else if (event.event === "clock") belt.clock(event);
  else if (event.event === "tile") seen.tiles += 1;
  else if (event.event === "pixels") belt.pixels(event);
  else if (event.event === "air") belt.air(event.along_mm);
  else if (event.event === "unseen") belt.unseen(event.along_mm);
  else if (event.event === "reject") belt.reject(event);
  else if (event.event === "page_dropped") seen.dropped += event.messages;
  else if (event.event === "alarm" || event.event === "feed_lost") poll();
}

function showLag() {
  const behind = belt.behind();
  const parts = [];
  if (behind !== null) parts.push(`decided up to ${behind.toFixed(0)} mm behind the detector`);
  if (seen.late > 1000) parts.push(`this page is ${(seen.late / 1000).toFixed(1)} s late`);
  if (seen.dropped) parts.push(`${seen.dropped} messages left out on this page`);
  $("lag").textContent = parts.join("; ");
  Object.assign(document.body.dataset, {tiles: seen.tiles, painted: belt.painted, dropped: seen.dropped,
    late: Math.round(seen.late), worst: Math.round(seen.worst)});
}

/* Corrections. */
const TITLES = {wrongly_rejected: "Wrongly rejected", defect: "Defect of type …", missed: "Missed here",
  withdrawn: "Said by mistake", challenge: "Put a test piece through"};

function ask(verdict, where, text) {
  question = {verdict, ...where};
  $("ask-title").textContent = TITLES[verdict];
  $("ask-text").textContent = text;
  $("ask-operator").value = $("operator").value;
  $("ask-defect-label").hidden = verdict !== "defect" && verdict !== "missed";
  $("ask-piece-label").hidden = verdict !== "challenge";
  $("ask-piece").required = verdict === "challenge";
  $("ask-piece").value = verdict === "challenge" && latest.pieces.length === 1 ? latest.pieces[0].name : "";
  $("ask-ok").textContent = verdict === "challenge" ? "Put it onto the belt now" : "Save";
  $("ask-defect").required = verdict === "defect";
  $("ask-defect").value = "";
  $("ask-error").textContent = "";
  $("ask").showModal();
}

$("ask-cancel").onclick = () => $("ask").close();
$("ask").querySelector("form").onsubmit = async (event) => {
  event.preventDefault();
  const said = {...question, operator: $("ask-operator").value};
  if (!$("ask-defect-label").hidden) said.defect = $("ask-defect").value;
  if (question.verdict === "challenge") said.piece = $("ask-piece").value;
  const answer = await call(question.verdict === "challenge" ? "/api/challenges" : "/api/corrections", said).catch(() => ({ok: false, said: {error: "the station does not answer"}}));
  if (!answer.ok) {
    $("ask-error").textContent = answer.said.error ?? "this did not work";
    return;
  }
  remember($("ask-operator").value);
  $("ask").close();
  if (belt.held) hold(false);
  poll();
};

function remember(name) {
  $("operator").value = name;
  try { localStorage.setItem("operator", name); } catch { /* Not allowed to: it is asked for again. */ }
}

function hold(held) {
  belt.hold(held);
  $("hold").setAttribute("aria-pressed", held);
  $("held").hidden = !(held && right === "write");
  document.body.classList.toggle("holding", held && right === "write");
}

$("hold").onclick = () => hold(!belt.held);
$("belt").onclick = (event) => {
  if (right !== "write" || !belt.held || belt.head === null) return;
  const place = belt.place(event);
  ask("missed", {inspection: belt.inspection, ...place},
    `${(place.along_mm / 1000).toFixed(2)} m along, ${place.across_mm.toFixed(0)} mm across`);
};
$("challenge").onclick = () => ask("challenge", {}, "It must be rejected within 60 seconds.");
$("operator").onchange = () => remember($("operator").value);

/* Who may. */
function showLogin() {
  if (source) source.close();
  source = null;
  $("main").hidden = true;
  $("logout").hidden = true;
  $("login").hidden = false;
  status("", "Not logged in");
}

$("login").onsubmit = async (event) => {
  event.preventDefault();
  const answer = await call("/api/login", {token: $("token").value}).catch(() => ({ok: false, said: {}}));
  $("login-error").textContent = answer.ok ? "" : answer.said.error ?? "The station does not answer";
  $("token").value = "";
  if (answer.ok) poll();
};
$("logout").onclick = async () => {
  await call("/api/logout", {}).catch(() => null);
  poll();
};

try { $("operator").value = localStorage.getItem("operator") ?? ""; } catch { /* Not allowed to. */ }
setInterval(() => {
  if (!document.hidden) poll();
  if (source && heard && Date.now() - heard > QUIET_MS) status("bad", "The station does not answer");
}, POLL_MS);
document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
poll();
