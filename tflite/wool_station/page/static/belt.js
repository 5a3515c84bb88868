"use strict";
/* The belt as it passes, to scale: the newest at the bottom, moving up.

   What was painted is kept on a canvas that is used as a ring: a line of the belt lies at its place along the belt modulo
   the canvas's height, so that nothing is ever moved. Marks are drawn over it in every frame. */

const HEAT = [255, 40, 0], STRONGEST = 0.5, NOTHING = "#22272d", AIR = "#e9ecef", UNSEEN = "#9a5fd0", RULER_MM = 100, AHEAD = 0.5;
const FRAME_MS = 30;  // Each frame paints the whole belt; twice as many would take twice the processor, and look alike.

function bytes(text) {
  const letters = atob(text), found = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at += 1) found[at] = letters.charCodeAt(at);
  return found;
}

/* Paints greys into an ImageData, with the cells of a heatmap tinted; the heatmap lies within a margin (in pixels). */
function tint(image, grey, cells, grid, margin) {
  const {width, height, data} = image;
  const y = places(height, grid?.[0], margin), x = places(width, grid?.[1], margin);
  for (let row = 0, at = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1, at += 1) {
      const isSeen = y[row] >= 0 && x[column] >= 0;
      const share = isSeen ? (STRONGEST * cells[y[row] * grid[1] + x[column]]) / 255 : 0;
      for (let channel = 0; channel < 3; channel += 1)
        data[4 * at + channel] = grey[at] * (1 - share) + HEAT[channel] * share;
      data[4 * at + 3] = 255;
    }
  }
}

/* Of each pixel along or across, in which cell of the heatmap it lies; -1: in none, or there is no heatmap. */
function places(pixels, cells, margin) {
  return Array.from({length: pixels}, (_, pixel) => {
    const cell = cells ? Math.floor(((pixel + 0.5 - margin) / (pixels - 2 * margin)) * cells) : -1;
    return cell < cells ? cell : -1;
  });
}

class Belt {
  constructor(canvas) {
    this.canvas = canvas;
    this.ring = document.createElement("canvas");
    this.tile = document.createElement("canvas");
    this.start = null;
    this.held = false;
    this.painted = 0;
    this.drawn = -Infinity;
    new ResizeObserver(() => this.fit()).observe(canvas);
  }

  /* Another inspection, or the same one again. */
  begin(start, inspection) {
    if (this.inspection === inspection) return;
    this.start = start;
    this.inspection = inspection;
    this.across = start.width * start.pixel_mm;
    this.margin = (start.side - start.seen) / 2;
    this.fit();
  }

  fit() {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    this.canvas.width = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(this.canvas.clientHeight * ratio));
    this.ratio = ratio;
    this.clear();
  }

  clear() {
    this.scale = this.across ? this.canvas.width / this.across : 1;
    this.ring.width = this.canvas.width;
    this.ring.height = this.canvas.height;
    this.context = this.ring.getContext("2d", {alpha: false});
    this.context.fillStyle = NOTHING;
    this.context.fillRect(0, 0, this.ring.width, this.ring.height);
    this.head = this.target = null;
    this.lookedAt = null;
    this.marks = [];
    this.ask();
  }

  hold(held) {
    this.held = held;
    if (!held) this.clear();
  }

  /* How far the belt is, and how far all is told of it. What was not looked at for long is not waited for in view. */
  clock(message) {
    if (!this.start) return;
    this.arrived = message.along_mm;
    this.reached = Math.max(message.decided * this.start.pixel_mm, this.lookedAt ?? -Infinity);
    this.move(Math.min(message.along_mm, this.reached + AHEAD * this.length()));
  }

  move(along) {
    if (this.held || !this.start || along <= this.target) return;
    if (this.target === null || (along - this.target) * this.scale > this.ring.height) {
      this.clear();
      this.head = along;
    }
    // What comes into view is not known yet.
    this.span(this.target ?? along, along, 0, this.across, NOTHING);
    this.target = along;
    this.ask();
  }

  air(along) { this.stretch(along, AIR); }

  unseen(along) { this.stretch(along, UNSEEN); }

  stretch(along, colour) {
    if (this.held || this.target === null) return;
    this.span(Math.max(along[0], this.target - this.length()), Math.min(along[1], this.target), 0, this.across, colour);
    this.ask();
  }

  pixels(message) {
    if (this.held || !this.start) return;
    // The belt is at least as far as its tiles: the page may just have been opened, or turned.
    if (this.target === null || message.along_mm[1] > this.target) this.move(message.along_mm[1]);
    if (message.along_mm[0] < this.target - this.length()) return;
    const {rows, columns, shrunk} = message;
    // Tiles are all of one size, and made anew for each a canvas and its pixels take longer than to paint them.
    if (this.image?.width !== columns || this.image?.height !== rows) {
      this.tile.width = columns;
      this.tile.height = rows;
      this.image = new ImageData(columns, rows);
    }
    tint(this.image, bytes(message.grey), bytes(message.cells), message.heatmap, this.margin / shrunk);
    this.tile.getContext("2d").putImageData(this.image, 0, 0);
    const pitch = shrunk * this.start.pixel_mm * this.scale;
    const top = message.corner_mm[0] * this.scale, left = message.corner_mm[1] * this.scale;
    // Only what the network saw: margins may show what passes later.
    const skip = this.margin / shrunk;
    const width = columns - 2 * skip, height = rows - 2 * skip;
    this.wrapped(top + skip * pitch, height * pitch, (y) =>
      this.context.drawImage(this.tile, skip, skip, width, height, left + skip * pitch, y, width * pitch, height * pitch));
    if (message.defective) this.marks.push({kind: "tile", along: message.along_mm, across: message.across_mm});
    this.lookedAt = Math.max(this.lookedAt ?? -Infinity, message.along_mm[1]);
    this.painted += 1;
    this.ask();
  }

  reject(message) {
    if (this.held) return;
    this.marks.push({kind: "reject", along: message.along_mm, across: message.across_mm});
    this.ask();
  }

  /* Millimetres of the belt that are in view. */
  length() { return this.ring.height / this.scale; }

  /* Millimetres from what is decided to the line that came last. */
  behind() { return this.arrived === undefined ? null : Math.max(0, this.arrived - this.reached); }

  span(start, stop, left, right, colour) {
    if (!(stop > start)) return;
    this.context.fillStyle = colour;
    // Whole pixels, or the edges of stretches that follow each other would shine through.
    const top = Math.floor(start * this.scale), bottom = Math.ceil(stop * this.scale);
    this.wrapped(top, bottom - top, (y, height) =>
      this.context.fillRect(left * this.scale, y, (right - left) * this.scale, height));
  }

  /* Draws at a place of the ring, and at its beginning what is over its end. */
  wrapped(top, height, draw) {
    const whole = this.ring.height, y = ((top % whole) + whole) % whole;
    draw(y, height);
    if (y + height > whole) draw(y - whole, height);
  }

  ask() {
    if (!this.asked) this.asked = requestAnimationFrame((now) => this.draw(now));
  }

  draw(now) {
    this.asked = 0;
    if (now - this.drawn < FRAME_MS) return this.ask();
    this.drawn = now;
    const view = this.canvas.getContext("2d", {alpha: false});
    view.fillStyle = NOTHING;
    view.fillRect(0, 0, this.canvas.width, this.canvas.height);
    if (this.target === null) return;
    const left = this.target - this.head;
    this.head = Math.abs(left) * this.scale < 1 ? this.target : this.head + left * 0.45;
    const bottom = this.head * this.scale, height = this.canvas.height;
    const cut = ((bottom % height) + height) % height;
    if (cut < height) view.drawImage(this.ring, 0, cut, this.ring.width, height - cut, 0, 0, this.ring.width, height - cut);
    if (cut > 0) view.drawImage(this.ring, 0, 0, this.ring.width, cut, 0, height - cut, this.ring.width, cut);
    this.drawMarks(view, bottom - height);
    if (this.head !== this.target) this.ask();
  }

  drawMarks(view, top) {
    const oldest = this.head - this.length();
    this.marks = this.marks.filter((mark) => mark.along[1] > oldest);
    for (const kind of ["tile", "reject"]) {
      view.strokeStyle = kind === "tile" ? "#ffb000" : "#ff2800";
      view.lineWidth = (kind === "tile" ? 1 : 3) * this.ratio;
      for (const mark of this.marks.filter((one) => one.kind === kind)) {
        const [start, stop] = mark.along, [from, to] = mark.across;
        const box = [from, start, to - from, stop - start].map((mm) => mm * this.scale);
        view.strokeRect(box[0], box[1] - top, box[2], box[3]);
      }
    }
    view.font = `${11 * this.ratio}px system-ui, sans-serif`;
    for (let mm = Math.ceil(Math.max(oldest, 0) / RULER_MM) * RULER_MM; mm < this.head; mm += RULER_MM) {
      const y = mm * this.scale - top, long = mm % (5 * RULER_MM) === 0;
      view.fillStyle = "#ffb000";
      view.fillRect(0, y, (long ? 14 : 7) * this.ratio, this.ratio);
      if (long) this.label(view, `${(mm / 1000).toFixed(1)} m`, y);
    }
  }

  /* Text beside the ruler, which must be read on wool of any grey. */
  label(view, text, y) {
    const left = 15 * this.ratio, pad = 3 * this.ratio;
    view.fillStyle = NOTHING;
    view.fillRect(left, y - 8 * this.ratio, view.measureText(text).width + 2 * pad, 16 * this.ratio);
    view.fillStyle = "#ffb000";
    view.fillText(text, left + pad, y + 4 * this.ratio);
  }

  /* Where on the belt a point of the canvas is, in millimetres along and across. */
  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const y = (event.clientY - box.top) * this.ratio, x = (event.clientX - box.left) * this.ratio;
    return {along_mm: (this.head * this.scale - this.canvas.height + y) / this.scale, across_mm: x / this.scale};
  }
}
