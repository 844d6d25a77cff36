// The attention explorer: one module without dependencies. `render({ model, el })` is anywidget's shape; the same module
// runs in a page of its own, where `model` only holds the payload (minillama/viz/explorer_page.py).
//
// What a payload holds: minillama/viz/explorer_payload.py. Words: q is the token that looks, k the one that is looked at.

const CODES = 65534;
const NOT_A_NUMBER = 65535;
const MAX_LABELS = 40; // words beside the heat map; with more of them only the two in question are written
const MIN_LABEL = 8.5; // pixels of a line of them
const MAX_THUMBNAIL = 64; // pixels on a side of a head at a glance; larger ones keep the largest weight of each block
const N_NAMED = 3; // tokens, or heads, that a sentence names
const N_FOUND = 5; // heads of a kind that are offered

const CIVIDIS = [
  [0, 34, 78], [0, 46, 108], [30, 58, 111], [53, 69, 108], [71, 81, 108], [87, 93, 109], [102, 105, 112], [117, 117, 117],
  [132, 130, 121], [148, 142, 119], [165, 156, 116], [183, 169, 110], [200, 184, 102], [219, 199, 90], [238, 214, 73], [254, 232, 56],
];

const STYLE = `
:host { display: block; }
.root {
  --bg: var(--jp-layout-color0, Canvas); --fg: var(--jp-content-font-color1, CanvasText);
  --muted: color-mix(in srgb, var(--fg) 72%, var(--bg)); --line: color-mix(in srgb, var(--fg) 17%, var(--bg));
  --soft: color-mix(in srgb, var(--fg) 5%, var(--bg)); --accent: #3f90da;
  --strong: color-mix(in srgb, #bd1f01 62%, var(--fg)); --tint: color-mix(in srgb, var(--accent) 22%, var(--bg));
  container-type: inline-size; background: var(--bg); color: var(--fg);
  font: 14px/1.45 var(--jp-ui-font-family, system-ui, -apple-system, "Segoe UI", sans-serif);
}
.root *, .root *::before { box-sizing: border-box; }
h2, h3, p, table, figure { margin: 0; }
h2 { font-size: 17px; font-weight: 650; letter-spacing: -0.01em; }
h3 { font-size: 13px; font-weight: 650; }
.muted { color: var(--muted); font-size: 12px; }
.number, td.n, .score { font-variant-numeric: tabular-nums; }
.bar { display: flex; flex-wrap: wrap; gap: 6px 10px; align-items: center; }
.head { justify-content: space-between; align-items: baseline; margin-bottom: 8px; }
.layout { display: grid; gap: 12px; margin-top: 12px; align-items: start; grid-template-columns: minmax(0, 1fr); }
.card { border: 1px solid var(--line); border-radius: 10px; padding: 12px; min-width: 0; }
.card > * + * { margin-top: 8px; }
.root > .card + .card, form + .error + .note + .card { margin-top: 12px; }
.column { display: contents; }
.lens { order: 1; }
@container (min-width: 660px) {
  .layout { grid-template-columns: minmax(0, 4fr) minmax(0, 5fr); }
  .column { display: grid; gap: 12px; align-content: start; min-width: 0; }
  .column .lens { order: 0; }
  .side { grid-column: 1 / -1; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
}
@container (min-width: 1060px) {
  .layout { grid-template-columns: minmax(0, 13fr) minmax(0, 17fr) minmax(0, 12fr); }
  .side { grid-column: auto; grid-template-columns: minmax(0, 1fr); }
}
button, input[type=text] {
  font: inherit; color: inherit; background: var(--soft); border: 1px solid var(--line); border-radius: 7px;
  padding: 4px 10px; min-height: 30px;
}
button { cursor: pointer; }
button:hover:not(:disabled) { border-color: var(--accent); }
button[aria-pressed=true] { border-color: var(--accent); background: var(--tint); box-shadow: inset 0 -2px var(--accent); }
button:disabled { cursor: default; color: var(--muted); }
input[type=text] { flex: 1 1 16em; min-width: 0; background: var(--bg); }
input[type=range] { width: 100%; margin: 0; height: 20px; accent-color: var(--accent); }
.training { padding: 6px 8px 0; } /* as wide as the way of a slider's thumb */
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.error { color: var(--strong); white-space: pre-wrap; overflow-wrap: anywhere; }
.error:empty, .note:empty { display: none; }

.tokens { max-height: 276px; overflow-y: auto; padding: 3px; margin: -3px; }
.tokens > div { display: flex; flex-wrap: wrap; gap: 3px 2px; }
.token {
  position: relative; padding: 1px 4px 15px; border-radius: 5px; min-width: 26px; cursor: pointer; white-space: pre;
  background: color-mix(in srgb, var(--accent) calc(var(--w, 0) * 34%), var(--soft));
}
.token.space { margin-left: 6px; }
.token::before {
  content: ""; position: absolute; left: 0; bottom: 0; height: 3px; border-radius: 2px; background: var(--accent);
  width: calc(var(--w, 0) * 100%);
}
.token .score { position: absolute; left: 4px; bottom: 2px; font-size: 10px; line-height: 1.3; color: var(--fg); }
.token.after { color: var(--muted); background: none; }
.token.q { box-shadow: 0 0 0 2px var(--fg); }
.token.k { box-shadow: 0 0 0 2px var(--accent); }
.token.pinned { font-weight: 650; }
.say { min-height: 1.45em; }
@container (max-width: 659px) { .say { min-height: 4.35em; } .head .muted { display: none; } }

.heads { display: grid; gap: 3px; grid-template-columns: auto repeat(var(--n), minmax(0, 1fr)); max-width: calc(var(--n) * 84px + 30px); }
.heads [role=row] { display: contents; }
.heads [role=rowheader], .heads [role=columnheader] { font-size: 11px; color: var(--muted); text-align: center; align-self: center; padding-right: 3px; }
.cell { position: relative; aspect-ratio: 1; border-radius: 3px; cursor: pointer; outline-offset: 1px; min-width: 0; }
.cell canvas { width: 100%; height: 100%; display: block; border-radius: 3px; background: var(--soft); }
.cell.fine canvas { image-rendering: pixelated; }
.cell .score {
  position: absolute; right: 1px; top: 1px; padding: 0 3px; border-radius: 3px; font-size: 10px; line-height: 1.35;
  background: var(--bg); color: var(--fg);
}
.small .cell .score { display: none; }
.cell[aria-selected=true] { box-shadow: 0 0 0 2px var(--bg), 0 0 0 4px var(--accent); z-index: 1; }
.cell.off .score { display: none; }
.cell.off::after {
  content: "off"; position: absolute; inset: 0; display: grid; place-items: center; font-size: 10px; border-radius: 3px;
  background: repeating-linear-gradient(45deg, var(--bg) 0 3px, transparent 3px 7px); font-weight: 700;
  text-shadow: 0 0 3px var(--bg), 0 0 3px var(--bg), 0 0 3px var(--bg);
}

.map { display: grid; grid-template: auto auto / 66px minmax(0, 1fr); max-width: 640px; }
.map.bare { display: block; }
.square { position: relative; aspect-ratio: 1; border-radius: 4px; overflow: hidden; background: var(--soft); cursor: crosshair; }
.square canvas { width: 100%; height: 100%; display: block; image-rendering: pixelated; }
.rows, .columns { position: relative; color: var(--muted); }
.columns { grid-column: 2; height: 66px; }
.bare .rows, .bare .columns { display: none; }
.rows span, .columns span { position: absolute; white-space: pre; line-height: 1; overflow: hidden; text-overflow: ellipsis; max-width: 60px; }
.rows span { right: 5px; transform: translateY(-50%); }
.columns span { top: 5px; transform-origin: 0 50%; transform: translateY(-50%) rotate(90deg); }
.rows .active, .columns .active { color: var(--fg); font-weight: 700; }
.band { position: absolute; pointer-events: none; border: 1px solid #fff; outline: 1px solid #000; left: 0; right: 0; }
.spot { position: absolute; border: 2px solid #fff; outline: 1px solid #000; min-width: 7px; min-height: 7px; translate: -50% -50%; pointer-events: none; }
.legend { font-size: 11px; color: var(--muted); }
.legend :first-child { margin-right: auto; }
.legend canvas { width: 96px; height: 10px; border-radius: 2px; }

table { border-collapse: collapse; width: 100%; font-size: 12.5px; }
caption { text-align: left; font-weight: 650; font-size: 13px; padding-bottom: 6px; caption-side: top; }
th { font-weight: 500; text-align: left; color: var(--muted); white-space: nowrap; }
td, th { padding: 2px 6px 2px 0; vertical-align: middle; }
td.n, th.n { text-align: right; }
td.piece { white-space: pre; max-width: 9em; overflow: hidden; text-overflow: ellipsis; }
.meter { position: relative; height: 12px; background: var(--soft); border-radius: 3px; min-width: 40px; }
.meter i { position: absolute; left: 0; top: 0; bottom: 0; background: var(--accent); border-radius: 3px; }
.meter b { position: absolute; top: -2px; bottom: -2px; width: 2px; background: var(--fg); }
.lens td { white-space: pre; max-width: 5.6em; overflow: hidden; text-overflow: ellipsis; }
.lens small { color: var(--muted); font-size: 11px; }
.lens .true { font-weight: 700; text-decoration: underline; text-underline-offset: 2px; }
.scroll { overflow: auto; max-height: 300px; }
svg { display: block; width: 100%; height: 84px; overflow: visible; }
details summary { cursor: pointer; font-size: 12px; color: var(--muted); }
.all { max-height: 260px; overflow: auto; }
.busy { opacity: 0.55; }
[hidden] { display: none; }
@media (forced-colors: active) { .token::before, .meter i { background: Highlight; forced-color-adjust: none; } }
`;

const SVG = "http://www.w3.org/2000/svg";

function make(tag, attributes = {}, ...children) {
  const drawn = tag === "svg" || attributes.svg;
  const made = drawn ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "svg" || value == null) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name === "className" ? "class" : name, value);
  }
  made.append(...children);
  return made;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const fixed = (value, digits) => (value == null || Number.isNaN(value) ? "not a number" : value.toFixed(digits));
const percent = (value) => (value >= 0.0995 ? `${Math.round(100 * value)}%` : value < 0.0005 ? "<0.1%" : `${(100 * value).toFixed(1)}%`);

function colour(part) {
  const place = clamp(part, 0, 1) * (CIVIDIS.length - 1);
  const index = Math.min(CIVIDIS.length - 2, Math.floor(place));
  return CIVIDIS[index].map((low, i) => low + (CIVIDIS[index + 1][i] - low) * (place - index));
}

const PALETTE = new Uint8Array(256 * 3);
for (let i = 0; i < 256; i++) PALETTE.set(colour(i / 255), 3 * i);

function paint(pixels, place, part) {
  if (Number.isNaN(part)) {
    pixels.set([189, 31, 1, 255], 4 * place); // red stands for what is not a number, and the sentence says so
    return;
  }
  const index = 3 * clamp(Math.round(255 * part), 0, 255);
  pixels[4 * place] = PALETTE[index];
  pixels[4 * place + 1] = PALETTE[index + 1];
  pixels[4 * place + 2] = PALETTE[index + 2];
  pixels[4 * place + 3] = 255;
}

async function inflate(text) {
  const packed = atob(text);
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i++) bytes[i] = packed.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function decode(text) {
  const planes = await inflate(text), count = planes.length / 2;
  const codes = new Uint16Array(count);
  for (let i = 0; i < count; i++) codes[i] = (planes[i] << 8) | planes[count + i];
  return codes;
}

// One head as T * T numbers: weights, or the share of each token in what the head brings.
function headMatrix(frame, codes, layer, head, T, byValue) {
  const matrix = new Float32Array(T * T);
  const [low, high] = frame.span, step = (high - low) / CODES;
  const size = frame.square ? T * T : (T * (T + 1)) / 2;
  const groups = frame.value_norms[layer], norms = groups[Math.floor((head * groups.length) / frame.heads)];
  let place = head * size;
  for (let q = 0; q < T; q++) {
    const end = frame.square ? T : q + 1;
    let sum = 0;
    for (let k = 0; k < end; k++) {
      const code = codes[place++];
      let value = code === NOT_A_NUMBER ? NaN : low + code * step;
      if (byValue) value *= norms[k] ?? NaN;
      matrix[q * T + k] = value;
      sum += value;
    }
    if (byValue && sum > 0) for (let k = 0; k < end; k++) matrix[q * T + k] /= sum;
  }
  return matrix;
}

class Explorer {
  constructor(model, el) {
    this.model = model;
    this.live = Boolean(model.get("live"));
    this.byValue = false;
    this.run = 0;
    this.shell(el);
    this.load(model.get("payload"), true);
    if (this.live) {
      this.onPayload = () => this.load(model.get("payload"), false);
      this.onMessage = (message) => this.hear(message);
      model.on("change:payload", this.onPayload);
      model.on("msg:custom", this.onMessage);
    }
  }

  close() {
    if (!this.live) return;
    this.model.off("change:payload", this.onPayload);
    this.model.off("msg:custom", this.onMessage);
  }

  // The parts that stay

  shell(el) {
    const host = make("div", { className: "minillama-explorer", "data-lm-suppress-shortcuts": "true" }); // arrows are for the explorer, not for JupyterLab
    const shadow = host.attachShadow({ mode: "open" });
    this.root = make("section", { className: "root", "aria-label": "Attention explorer" });
    shadow.append(make("style", {}, STYLE), this.root);
    el.replaceChildren(host);

    this.prompt = make("input", { type: "text", "aria-label": "Text that the model reads", spellcheck: "false" });
    const form = make("form", { className: "bar" }, this.prompt, make("button", { type: "submit" }, "Read"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.ask(this.off);
    });
    this.prompt.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault(); // JupyterLab keeps a browser from sending a form by Enter
      form.requestSubmit();
    });
    this.error = make("p", { className: "error", role: "alert" });
    this.note = make("p", { className: "muted note" });
    this.snapshots = make("div", { className: "card" });
    this.tokens = make("div", { role: "row" });
    const strip = make("div", { className: "tokens", role: "grid", "aria-label": "Tokens of the text" }, this.tokens);
    this.say = make("p", { className: "say", role: "status", "aria-live": "polite" });

    this.heads = make("div", { className: "heads", role: "grid", "aria-label": "All heads: a row a layer" });
    this.kinds = make("div", { className: "bar", role: "group", "aria-label": "Find the strongest heads of a kind" });
    this.found = make("div", { className: "bar", role: "group", "aria-label": "Strongest heads of this kind" });
    this.kindNote = make("p", { className: "muted" });
    this.together = make("div", { className: "bar", role: "group", "aria-label": "Several heads at once" });

    this.title = make("h3");
    this.scores = make("p", { className: "muted number" });
    this.plain = make("button", { type: "button", onclick: () => this.setByValue(false) }, "attention");
    this.valued = make("button", { type: "button", onclick: () => this.setByValue(true) }, "attention × value length");
    this.offButton = make("button", { type: "button", onclick: () => this.switchHead() });
    this.canvas = make("canvas", { "aria-hidden": "true" });
    this.rowBand = make("div", { className: "band" });
    this.spot = make("div", { className: "spot", role: "gridcell", tabindex: "0" });
    this.spotRow = make("div", { role: "row" }, this.spot);
    this.square = make("div", { className: "square", role: "grid" }, this.canvas, this.rowBand, this.spotRow);
    this.rows = make("div", { className: "rows", "aria-hidden": "true" });
    this.columns = make("div", { className: "columns", "aria-hidden": "true" });
    this.map = make("div", { className: "map" }, this.rows, this.square, this.columns);
    this.top = make("span", { className: "number" });
    const scale = make("canvas", { width: 96, height: 1, "aria-hidden": "true" });
    const shades = scale.getContext("2d").createImageData(96, 1);
    for (let i = 0; i < 96; i++) paint(shades.data, i, i / 95);
    scale.getContext("2d").putImageData(shades, 0, 0);
    const legend = make("div", { className: "bar legend" }, make("span", {}, "rows look, columns are looked at"), make("span", {}, "0"), scale, this.top);
    this.allWeights = make("tbody");
    this.all = make(
      "details", { ontoggle: () => this.showAllWeights() }, make("summary", {}, "every weight of this row, as a table"),
      make("div", { className: "all", tabindex: "0", role: "region", "aria-label": "Every weight of this row" },
        make("table", {},
          make("thead", {}, make("tr", {}, ...["looks at", "weight", "value length", "share"].map((name, i) =>
            make("th", { className: i ? "n" : "", scope: "col" }, name)))),
          this.allWeights)),
    );

    this.nextCard = make("div", { className: "card" });
    this.lossCard = make("div", { className: "card" });
    this.lensCard = make("div", { className: "card lens" });
    this.root.append(
      make("div", { className: "bar head" }, make("h2", {}, "Attention explorer"),
        make("span", { className: "muted" }, "hover: look · click or Enter: pin · arrows: move · Escape: clear")),
      ...(this.live ? [form] : []), this.error, this.note, this.snapshots,
      make("div", { className: "card" }, strip, this.say),
      make("div", { className: "layout" },
        make("div", { className: "column" },
          make("div", { className: "card" }, make("h3", {}, "All heads"), this.heads, this.kinds, this.kindNote, this.found, this.together),
          this.lensCard),
        make("div", { className: "card" }, this.title, this.scores,
          make("div", { className: "bar" },
            make("div", { className: "bar", role: "group", "aria-label": "What the colours show" }, this.plain, this.valued),
            this.offButton),
          this.map, legend, this.all),
        make("div", { className: "column side" }, this.nextCard, this.lossCard)),
    );
    this.listen();
    new ResizeObserver(() => this.payload && this.fitLabels()).observe(this.map);
  }

  listen() {
    this.root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.pin = this.hover = null;
      this.showLook();
    });
    const tokenAt = (event) => event.target.closest?.(".token");
    this.tokens.addEventListener("mouseover", (event) => tokenAt(event) && this.setHover(this.atToken(tokenAt(event))));
    this.tokens.addEventListener("mouseleave", () => this.setHover(null));
    this.tokens.addEventListener("focusin", (event) => {
      if (event.target.matches(":focus-visible")) this.setHover(this.atToken(event.target));
    });
    this.tokens.addEventListener("click", (event) => tokenAt(event) && this.setPin({ q: Number(tokenAt(event).dataset.i) }));
    this.tokens.addEventListener("keydown", (event) => this.onTokenKey(event));

    this.square.addEventListener("mousemove", (event) => this.setHover(this.atPixel(event)));
    this.square.addEventListener("mouseleave", () => this.setHover(null));
    this.square.addEventListener("click", (event) => this.setPin(this.atPixel(event)));
    this.spot.addEventListener("keydown", (event) => this.onSpotKey(event));

    this.heads.addEventListener("click", (event) => {
      const cell = event.target.closest?.(".cell");
      if (cell) this.choose(Number(cell.dataset.layer), Number(cell.dataset.head), true);
    });
    this.heads.addEventListener("keydown", (event) => this.onHeadKey(event));
  }

  // A payload

  load(payload, first) {
    this.payload = payload;
    this.run += 1;
    this.T = payload.tokens.length;
    this.codes = payload.frames.map((frame) => frame.weights.map(() => null));
    this.wanted = new Map();
    this.pin = this.hover = null;
    this.off = payload.frames.at(-1).off;
    if (first) {
      this.at = payload.frames.length - 1;
      [this.layer, this.head] = payload.focus;
      this.kind = payload.kind;
    }
    this.at = Math.min(this.at, payload.frames.length - 1);
    this.prompt.value = payload.text;
    setText(this.error, "");
    setText(this.note, payload.notes.text ? `Read: ${payload.notes.text}.` : "");
    this.root.classList.remove("busy");
    this.root.removeAttribute("aria-busy");
    this.buildTokens();
    this.buildSnapshots();
    this.showFrame();
  }

  get frame() {
    return this.payload.frames[this.at];
  }

  get isModel() {
    return this.at === this.payload.frames.length - 1;
  }

  ask(off) {
    this.root.classList.add("busy");
    this.root.setAttribute("aria-busy", "true");
    this.model.send({ type: "run", text: this.prompt.value, off });
  }

  hear(message) {
    if (message.type === "layer") this.wanted.get(`${message.run} ${message.layer}`)?.(message.weights);
    else {
      this.root.classList.remove("busy");
      this.root.removeAttribute("aria-busy");
      setText(this.error, message.type === "error" ? message.text : "");
    }
  }

  async getCodes(at, layer) {
    const known = this.codes[at];
    known[layer] ??= (async () => {
      const here = this.payload.frames[at].weights[layer], run = this.run;
      const text = here ?? await new Promise((resolve) => {
        this.wanted.set(`${run} ${layer}`, resolve);
        this.model.send({ type: "layer", layer, run });
      });
      return decode(text);
    })();
    return known[layer];
  }

  word(token) {
    return this.payload.pieces[token]?.[0] ?? String(token);
  }

  // Words stand beside the heat map where there is room for them.
  fitLabels() {
    const room = (this.map.clientWidth - 66) / this.T;
    this.map.classList.toggle("bare", !this.rowLabels.length || room < MIN_LABEL);
    this.map.style.fontSize = `${clamp(room, MIN_LABEL, 12)}px`;
  }

  quoted(position) {
    return `“${this.word(this.payload.tokens[position])}”`;
  }

  buildTokens() {
    this.chips = this.payload.tokens.map((token, i) => {
      const [text, space] = this.payload.pieces[token];
      const score = make("span", { className: "score" });
      const chip = make("div", {
        className: space ? "token space" : "token", role: "gridcell", tabindex: i === this.T - 1 ? "0" : "-1", "data-i": i,
      }, text, score);
      chip.score = score;
      return chip;
    });
    this.tokens.replaceChildren(...this.chips);
    this.lastWeights = new Array(this.T).fill(null);

    const label = (side) => (token, i) => make("span", { style: `${side}:${(100 * (i + 0.5)) / this.T}%` }, this.word(token));
    const places = this.T > MAX_LABELS ? [] : this.payload.tokens;
    this.rowLabels = places.map(label("top"));
    this.columnLabels = places.map(label("left"));
    this.rows.replaceChildren(...this.rowLabels);
    this.columns.replaceChildren(...this.columnLabels);
    this.fitLabels();
    this.square.setAttribute("aria-rowcount", this.T);
    this.square.setAttribute("aria-colcount", this.T);
  }

  // One model of those on the slider

  showFrame() {
    const { frame } = this;
    this.layer = Math.min(this.layer, frame.layers - 1);
    this.head = Math.min(this.head, frame.heads - 1);
    if (!(this.kind in frame.scores)) this.kind = null;
    this.buildHeads();
    this.buildKinds();
    this.showOutcome();
    this.buildLens();
    this.choose(this.layer, this.head, false);
    this.paintThumbnails();
  }

  buildHeads() {
    const { layers, heads } = this.frame;
    this.heads.style.setProperty("--n", heads);
    this.heads.classList.toggle("small", heads > 9);
    const name = (head) => make("span", { role: "columnheader" }, heads > 16 && head % 4 ? "" : String(head));
    const corner = make("span", { role: "columnheader", "aria-label": "layer, head" });
    this.cells = [];
    const rows = [make("div", { role: "row" }, corner, ...Array.from({ length: heads }, (_, head) => name(head)))];
    for (let layer = 0; layer < layers; layer++) {
      this.cells.push(Array.from({ length: heads }, (_, head) => {
        const canvas = make("canvas", { "aria-hidden": "true" }), score = make("span", { className: "score", "aria-hidden": "true" });
        const cell = make("div", {
          className: this.T <= MAX_THUMBNAIL ? "cell fine" : "cell", role: "gridcell", tabindex: "-1",
          "data-layer": layer, "data-head": head,
        }, canvas, score);
        return Object.assign(cell, { canvas, score });
      }));
      rows.push(make("div", { role: "row" }, make("span", { role: "rowheader" }, String(layer)), ...this.cells[layer]));
    }
    this.heads.replaceChildren(...rows);
    this.nameHeads();
  }

  isOff(layer, head) {
    return this.isModel && this.off.some(([l, h]) => l === layer && h === head);
  }

  nameHeads() {
    const { scores } = this.frame;
    this.cells.forEach((row, layer) => row.forEach((cell, head) => {
      const score = this.kind ? scores[this.kind][layer][head] : null, off = this.isOff(layer, head);
      const parts = [`layer ${layer}, head ${head}`];
      if (this.kind) parts.push(`${this.kind} ${fixed(score, 2)}`);
      if (off) parts.push("switched off");
      cell.setAttribute("aria-label", parts.join(", "));
      cell.title = parts.join(", ");
      cell.classList.toggle("off", off);
      cell.score.hidden = !this.kind;
      setText(cell.score, this.kind ? fixed(score, 2) : "");
    }));
  }

  async paintThumbnails() {
    const { at, run, byValue, T } = this, frame = this.frame;
    const block = Math.ceil(T / MAX_THUMBNAIL), size = Math.ceil(T / block);
    const order = [...Array(frame.layers).keys()].sort((a, b) => (b === this.layer) - (a === this.layer));
    for (const layer of order) {
      const codes = await this.getCodes(at, layer);
      if (run !== this.run || at !== this.at || byValue !== this.byValue) return;
      for (let head = 0; head < frame.heads; head++) {
        const matrix = headMatrix(frame, codes, layer, head, T, byValue);
        const { canvas } = this.cells[layer][head];
        canvas.width = canvas.height = size;
        const context = canvas.getContext("2d"), image = context.createImageData(size, size);
        for (let y = 0; y < size; y++)
          for (let x = 0; x < (frame.square ? size : y + 1); x++) {
            let largest = 0;
            for (let q = y * block; q < Math.min(T, (y + 1) * block); q++)
              for (let k = x * block; k < Math.min(T, (x + 1) * block); k++) {
                const value = matrix[q * T + k];
                if (!(value <= largest)) largest = value;
              }
            paint(image.data, y * size + x, Math.sqrt(largest));
          }
        context.putImageData(image, 0, 0);
      }
      await new Promise((resolve) => setTimeout(resolve)); // the page stays alive between layers
    }
    if (run === this.run) this.root.dataset.painted = String(at);
  }

  buildKinds() {
    this.kinds.replaceChildren(...Object.keys(this.frame.scores).map((kind) => make("button", {
      type: "button", "aria-pressed": String(kind === this.kind), onclick: () => this.find(kind),
    }, kind)));
    this.showFound();
  }

  strongest(kind, frame = this.frame) {
    const list = frame.scores[kind].flatMap((row, layer) => row.map((score, head) => ({ layer, head, score: score ?? 0 })));
    return list.sort((a, b) => b.score - a.score);
  }

  find(kind) {
    this.kind = this.kind === kind ? null : kind;
    for (const button of this.kinds.children) button.setAttribute("aria-pressed", String(button.textContent === this.kind));
    this.nameHeads();
    this.showFound();
    this.drawTraining?.();
    if (!this.kind) return;
    const [best] = this.strongest(kind);
    this.choose(best.layer, best.head, false);
  }

  showFound() {
    setText(this.kindNote, this.kind ? `Score: ${this.payload.kinds[this.kind] ?? "of this kind"}.` : "Press a kind: its strongest heads, by score.");
    const group = this.frame.groups?.[this.kind];
    const list = this.kind ? this.strongest(this.kind).slice(0, Math.max(N_FOUND, group?.strong.heads.length ?? 0)) : [];
    this.found.replaceChildren(...list.map(({ layer, head, score }) => make("button", {
      type: "button", className: "number", "aria-label": `layer ${layer}, head ${head}, ${this.kind} ${fixed(score, 2)}`,
      "aria-pressed": String(layer === this.layer && head === this.head), "data-place": `${layer} ${head}`,
      onclick: () => this.choose(layer, head, false),
    }, `L${layer} H${head} `, make("b", {}, fixed(score, 2)))));
    this.showTogether();
  }

  // The strongest heads of a kind switched off together, or as many of the others, drawn blindly.
  showTogether() {
    const group = this.isModel && this.frame.groups?.[this.kind], buttons = [];
    const offer = (heads, words) => {
      const own = heads.length > 0 && this.isExactlyOff(heads);
      buttons.push(make("button", {
        type: "button", "aria-pressed": String(own), onclick: () => this.switchOff(own ? [] : heads),
      }, words));
    };
    if (group && (this.live || group.strong.next)) {
      const count = group.strong.heads.length;
      offer(group.strong.heads, count === 1 ? "switch the strongest off" : `switch these ${count} off`);
      if (group.drawn.heads.length) offer(group.drawn.heads, `switch ${group.drawn.heads.length} other${count === 1 ? "" : "s"} off, at random`);
    }
    if (this.isModel && this.off.length) offer([], "all heads on");
    this.together.hidden = !buttons.length;
    this.together.replaceChildren(...buttons);
  }

  isExactlyOff(heads) {
    return heads.length === this.off.length && heads.every(([layer, head]) => this.isOff(layer, head));
  }

  // One head

  async choose(layer, head, focus) {
    [this.layer, this.head] = [layer, head];
    for (const cell of this.cells.flat()) {
      const own = Number(cell.dataset.layer) === layer && Number(cell.dataset.head) === head;
      cell.setAttribute("aria-selected", String(own));
      cell.tabIndex = own ? 0 : -1;
      if (own && focus) cell.focus();
    }
    for (const button of this.found.children)
      button.setAttribute("aria-pressed", String(button.dataset.place === `${layer} ${head}`));
    setText(this.title, `Layer ${layer}, head ${head}`);
    const { scores } = this.frame;
    setText(this.scores, Object.keys(scores).map((kind) => `${kind} ${fixed(scores[kind][layer][head], 2)}`).join(" · "));
    this.showOff();
    this.plain.setAttribute("aria-pressed", String(!this.byValue));
    this.valued.setAttribute("aria-pressed", String(this.byValue));
    const { at, run } = this, codes = await this.getCodes(at, layer);
    if (run !== this.run || at !== this.at || layer !== this.layer || head !== this.head) return;
    this.weights = headMatrix(this.frame, codes, layer, head, this.T, false);
    this.shown = this.byValue ? headMatrix(this.frame, codes, layer, head, this.T, true) : this.weights;
    this.drawHead();
    this.showLook();
    this.root.dataset.head = `${at} ${layer} ${head} ${this.byValue ? "value" : "attention"}`;
  }

  drawHead() {
    const { T, shown } = this, context = this.canvas.getContext("2d");
    let largest = 0;
    for (const value of shown) if (value > largest) largest = value;
    this.canvas.width = this.canvas.height = T;
    const image = context.createImageData(T, T);
    for (let q = 0; q < T; q++)
      for (let k = 0; k < (this.frame.square ? T : q + 1); k++)
        paint(image.data, q * T + k, shown[q * T + k] / (largest || 1));
    context.putImageData(image, 0, 0);
    setText(this.top, largest.toFixed(2));
    this.square.setAttribute("aria-label", `${this.byValue ? "Attention times value length" : "Attention"} of layer ` +
      `${this.layer}, head ${this.head}: rows look, columns are looked at`);
  }

  setByValue(byValue) {
    if (this.byValue === byValue) return;
    this.byValue = byValue;
    this.choose(this.layer, this.head, false);
    this.paintThumbnails();
  }

  // One token, or one weight

  get look() {
    if (!this.pin) return this.hover ?? { q: this.T - 1 };
    const other = this.hover?.other === this.pin.q ? undefined : this.hover?.other;
    return { q: this.pin.q, k: this.pin.k ?? this.hover?.k ?? other };
  }

  // A token under the mouse looks; while another one is pinned, it is looked at.
  atToken(chip) {
    return { q: Number(chip.dataset.i), other: Number(chip.dataset.i) };
  }

  atPixel(event) {
    const box = this.square.getBoundingClientRect();
    const place = (offset, length) => clamp(Math.floor((offset / length) * this.T), 0, this.T - 1);
    const q = place(event.clientY - box.top, box.height), k = place(event.clientX - box.left, box.width);
    return { q, k: k <= q || this.frame.square ? k : undefined };
  }

  setHover(place) {
    if (place?.q === this.hover?.q && place?.k === this.hover?.k) return;
    this.hover = place;
    this.showLook();
  }

  setPin(place) {
    const same = this.pin && this.pin.q === place.q && this.pin.k === place.k;
    this.pin = same ? null : place;
    this.showLook();
  }

  showLook() {
    if (!this.weights) return;
    const { q } = this.look, { T, frame } = this, row = this.shown.subarray(q * T, q * T + T);
    let { k } = this.look;
    if (k != null && k > q && !frame.square) k = undefined;
    for (let i = 0; i < T; i++) {
      const chip = this.chips[i], after = i > q && !frame.square;
      const kind = (after ? 1 : 0) | (i === q ? 2 : 0) | (i === k ? 4 : 0) | (this.pin?.q === i ? 8 : 0);
      if (chip.kind !== kind) {
        chip.kind = kind;
        chip.classList.toggle("after", after);
        chip.classList.toggle("q", i === q);
        chip.classList.toggle("k", i === k);
        chip.classList.toggle("pinned", this.pin?.q === i);
        if (this.pin?.q === i) chip.setAttribute("aria-selected", "true");
        else chip.removeAttribute("aria-selected");
      }
      const value = after ? 0 : row[i];
      const text = after ? "" : value >= 0.005 ? value.toFixed(2) : Number.isNaN(value) ? "nan" : "·";
      if (this.lastWeights[i] !== text) {
        this.lastWeights[i] = text;
        chip.score.textContent = text;
        chip.style.setProperty("--w", (value || 0).toFixed(2));
      }
    }
    this.showBands(q, k);
    setText(this.say, this.sentence(q, k, row));
    this.showLens(q);
    this.markLoss(q);
    if (this.all.open) this.showAllWeights();
  }

  showBands(q, k) {
    const part = 100 / this.T;
    this.rowBand.style.cssText = `top:${q * part}%;height:max(${part}%,3px)`;
    const column = k ?? q;
    this.spot.style.cssText = `top:${(q + 0.5) * part}%;left:${(column + 0.5) * part}%;width:${part}%;height:${part}%` +
      (k == null ? ";opacity:0" : "");
    this.spotRow.setAttribute("aria-rowindex", q + 1);
    this.spot.setAttribute("aria-colindex", column + 1);
    this.spot.setAttribute("aria-label", `${this.quoted(q)} looks at ${this.quoted(column)}: ${fixed(this.shown[q * this.T + column], 4)}`);
    for (const [labels, own] of [[this.rowLabels, q], [this.columnLabels, k]]) {
      labels.active?.classList.remove("active");
      labels.active = labels[own];
      labels.active?.classList.add("active");
    }
  }

  sentence(q, k, row) {
    const pinned = this.pin ? "Pinned. " : "", place = `${this.quoted(q)} (token ${q})`;
    if (k != null) {
      const weight = this.weights[q * this.T + k];
      const brought = this.byValue ? ` That is ${fixed(row[k], 4)} of what this head brings here.` : "";
      return `${pinned}${place} looks at ${this.quoted(k)} (token ${k}) with weight ${fixed(weight, 4)}.${brought}`;
    }
    const end = this.frame.square ? this.T : q + 1, best = [];
    for (let i = 0; i < end; i++) best.push(i);
    if (row.subarray(0, end).some(Number.isNaN)) return `${pinned}${place}: some weights are not a number.`;
    best.sort((a, b) => row[b] - row[a]);
    const named = best.slice(0, N_NAMED).map((i) => `${this.quoted(i)} (token ${i}) ${row[i].toFixed(4)}`).join(", ");
    return `${pinned}${place} ${this.byValue ? "is brought most of" : "looks most at"} ${named}.`;
  }

  showAllWeights() {
    if (!this.all.open || !this.weights) return;
    const { q } = this.look, { T, frame, layer, head } = this;
    const groups = frame.value_norms[layer], norms = groups[Math.floor((head * groups.length) / frame.heads)];
    const end = frame.square ? T : q + 1;
    let sum = 0;
    for (let k = 0; k < end; k++) sum += this.weights[q * T + k] * norms[k];
    const lines = [];
    for (let k = 0; k < end; k++) {
      const weight = this.weights[q * T + k];
      const cells = [fixed(weight, 5), fixed(norms[k], 3), fixed((weight * norms[k]) / sum, 5)];
      lines.push(make("tr", {}, make("th", { scope: "row" }, `${k} ${this.quoted(k)}`), ...cells.map((text) => make("td", { className: "n" }, text))));
    }
    this.allWeights.replaceChildren(...lines);
  }

  // What comes out, with all heads and without some

  get outcomes() {
    const { frame } = this;
    if (frame.baseline) return { all: frame.baseline, without: frame };
    if (!this.isModel || !this.off.length) return { all: frame, without: null };
    const groups = Object.values(frame.groups ?? {}).flatMap((pair) => [pair.strong, pair.drawn]);
    const group = groups.find((each) => each.next && this.isExactlyOff(each.heads));
    if (group || !frame.ablation) return { all: frame, without: group ?? null };
    const [[layer, head]] = this.off, pick = (key) => frame.ablation[key][layer][head];
    return { all: frame, without: { loss: pick("loss"), losses: pick("losses"), next: pick("next") } };
  }

  switchHead() {
    const { layer, head } = this, rest = this.off.filter(([l, h]) => l !== layer || h !== head);
    const own = rest.length < this.off.length; // a page knows what one head does, or one group, and no other company
    this.switchOff(own ? (this.live ? rest : []) : [...(this.live ? rest : []), [layer, head]]);
  }

  switchOff(off) {
    if (this.live) {
      this.ask(off);
      return;
    }
    this.off = off;
    this.nameHeads();
    this.showTogether();
    this.showOff();
    this.showOutcome();
    this.markLoss(this.look.q);
  }

  showOff() {
    const own = this.isOff(this.layer, this.head), can = this.isModel && (this.live || this.frame.ablation);
    setText(this.offButton, own ? "switch this head on" : "switch this head off");
    this.offButton.setAttribute("aria-pressed", String(own));
    this.offButton.disabled = !can;
    this.offButton.title = can ? "" : this.isModel ? this.payload.notes.ablation ?? "" : "heads of the last model only";
  }

  showOutcome() {
    const { all, without } = this.outcomes, last = this.quoted(this.T - 1);
    const off = this.off.length > N_NAMED ? `${this.off.length} heads` : this.off.map(([layer, head]) => `layer ${layer} head ${head}`).join(", ");
    this.buildNext(all, without, last, off);
    const change = without ? without.loss - all.loss : 0;
    const words = `${fixed(all.loss, 3)} nats a token with all heads` + (without ? `, ${fixed(without.loss, 3)} without ${off} ` +
      `(${change >= 0 ? "+" : "−"}${fixed(Math.abs(change), 3)})` : "");
    this.lossMark = make("line", { svg: true, y1: 0, y2: 70, stroke: "currentColor", "stroke-dasharray": "2 2" });
    this.lossSay = make("p", { className: "muted number" });
    const note = this.isModel && !this.live && this.payload.notes.ablation;
    this.lossCard.replaceChildren(make("h3", {}, "Loss of this text"), make("p", { className: "number loss" }, words + "."),
      this.lossChart(all.losses, without?.losses), this.lossSay, ...(note ? [make("p", { className: "muted" }, `${note}.`)] : []));
  }

  buildNext(all, without, last, off) {
    const old = new Map(all.next), shown = without ? without.next : all.next;
    const lines = shown.map(([token, chance]) => {
      const before = old.get(token), meter = make("div", { className: "meter" }, make("i", { style: `width:${100 * chance}%` }));
      if (without && before != null) meter.append(make("b", { style: `left:calc(${100 * before}% - 1px)` }));
      const cells = [make("td", { className: "n" }, percent(chance))];
      if (without) cells.push(make("td", { className: "n" }, before == null ? "less" : percent(before)));
      return make("tr", {}, make("td", { className: "piece" }, `“${this.word(token)}”`), make("td", { style: "width:45%" }, meter), ...cells);
    });
    const names = ["token", "chance", without ? "now" : "", ...(without ? ["all heads"] : [])];
    const caption = `After ${last}, next` + (without ? `, without ${off}; the tick: with all heads` : "");
    this.nextCard.replaceChildren(make("table", { className: "next" }, make("caption", {}, caption),
      make("thead", {}, make("tr", {}, ...names.map((name, i) => make("th", { scope: "col", className: i > 1 ? "n" : "" }, name)))),
      make("tbody", {}, ...lines)));
  }

  lossChart(losses, without) {
    const most = Math.max(0.1, ...losses, ...(without ?? [])), width = 300 / losses.length;
    const bars = losses.map((loss, i) => make("rect", {
      svg: true, x: i * width, y: 70 - (70 * loss) / most, width: Math.max(0.5, width * 0.8), height: (70 * loss) / most, fill: "var(--accent)",
    }));
    const points = (without ?? []).flatMap((loss, i) => [[i * width, loss], [(i + 1) * width, loss]]);
    const line = points.map(([x, loss]) => `${x.toFixed(1)},${(70 - (70 * loss) / most).toFixed(1)}`).join(" ");
    const label = `Loss at each token, from 0 to ${most.toFixed(1)} nats. Bars: with all heads` + (without ? "; line: without." : ".");
    const chart = make("svg", { viewBox: "0 0 300 70", role: "img", "aria-label": label, preserveAspectRatio: "none" }, ...bars,
      make("polyline", { svg: true, points: line, fill: "none", stroke: "currentColor", "stroke-width": 1.5, "vector-effect": "non-scaling-stroke" }),
      this.lossMark);
    return make("div", {}, chart, make("p", { className: "muted bar head" },
      make("span", {}, without ? "bars: all heads, line: without" : "token by token"), make("span", {}, `highest ${most.toFixed(1)} nats`)));
  }

  markLoss(q) {
    const { all, without } = this.outcomes, loss = all.losses[q - 1];
    const x = ((q - 0.6) * 300) / all.losses.length;
    this.lossMark.style.display = q ? "" : "none";
    this.lossMark.setAttribute("x1", x);
    this.lossMark.setAttribute("x2", x);
    setText(this.lossSay, q === 0 ? "Nothing foretells the first token." : `${this.quoted(q)} came as a surprise of ${fixed(loss, 2)} nats` +
      (without ? `, ${fixed(without.losses[q - 1], 2)} without.` : "."));
  }

  // What each layer would say

  buildLens() {
    const { lens, layers } = this.frame;
    this.lensRows = [];
    if (!lens) {
      this.lensCard.replaceChildren(make("h3", {}, "Logit lens"), make("p", { className: "muted" }, `Missing: ${this.payload.notes.lens ?? "no stream"}.`));
      return;
    }
    this.lensCaption = make("p", { className: "muted" });
    const body = make("tbody");
    for (let i = 0; i <= layers; i++) {
      const cells = lens.ids[i][0].map(() => {
        const piece = make("span"), chance = make("small", { className: "number" });
        return Object.assign(make("td", {}, piece, " ", chance), { piece, chance });
      });
      const true_ = make("td", { className: "n number" });
      this.lensRows.push({ cells, true_ });
      const name = i === 0 ? "no layer" : `layer ${i - 1}`;
      body.append(make("tr", {}, make("th", { scope: "row" }, name), ...cells, true_));
    }
    this.lensTrue = make("th", { className: "n", scope: "col" });
    const head = make("tr", {}, make("th", { scope: "col" }, "after"), ...["first", "second", "third"].slice(0, lens.ids[0][0].length)
      .map((name) => make("th", { scope: "col" }, name)), this.lensTrue);
    this.lensCard.replaceChildren(make("h3", {}, "Logit lens"), this.lensCaption,
      make("div", { className: "scroll", tabindex: "0", role: "region", "aria-label": "Logit lens" },
      make("table", {}, make("thead", {}, head), make("tbody", {}, ...body.children))));
  }

  showLens(q) {
    const { lens } = this.frame;
    if (!lens) return;
    const following = this.payload.tokens[q + 1];
    setText(this.lensCaption, `What each layer would say after ${this.quoted(q)}, if it were the last.`);
    setText(this.lensTrue, following == null ? "" : `true: “${this.word(following)}”`);
    this.lensRows.forEach(({ cells, true_ }, i) => {
      cells.forEach((cell, rank) => {
        const token = lens.ids[i][q][rank];
        setText(cell.piece, this.word(token));
        setText(cell.chance, percent(lens.chances[i][q][rank] ?? 0));
        cell.piece.className = token === following ? "true" : "";
      });
      setText(true_, following == null ? "" : percent(lens.true[i][q] ?? 0));
    });
  }

  // Moments of a training

  buildSnapshots() {
    const { frames } = this.payload;
    this.snapshots.hidden = frames.length < 2;
    this.drawTraining = null;
    if (frames.length < 2) return;
    const name = make("span", { className: "number" });
    const slider = make("input", { type: "range", min: 0, max: frames.length - 1, step: 1, value: this.at, "aria-label": "Moment of the training" });
    const chart = make("div", { className: "training" });
    this.trainingSay = make("p", { className: "muted bar number" });
    const show = () => {
      setText(name, this.frame.label);
      slider.setAttribute("aria-valuetext", name.textContent);
      this.drawTraining?.();
    };
    slider.addEventListener("input", () => {
      this.at = Number(slider.value);
      this.showFrame();
      show();
    });
    this.drawTraining = () => chart.replaceChildren(this.trainingChart());
    this.snapshots.replaceChildren(make("div", { className: "bar head" }, make("h3", {}, "Moments of the training"), name), chart, slider, this.trainingSay);
    show();
  }

  trainingChart() {
    const frames = this.payload.frames.slice(0, -1), kinds = Object.keys(frames[0].scores);
    const kind = this.kind in frames[0].scores ? this.kind : kinds.includes("induction") ? "induction" : kinds[0];
    const losses = frames.map((frame) => frame.loss ?? 0), most = Math.max(...losses);
    const best = frames.map((frame) => this.strongest(kind, frame)[0].score);
    const x = (i) => `${(100 * i) / frames.length}%`, y = (part) => 66 - 62 * part; // above the stops of the slider
    const line = (heights, stroke, dashes) => heights.slice(1).map((height, i) => make("line", {
      svg: true, x1: x(i), x2: x(i + 1), y1: y(heights[i]), y2: y(height), stroke, "stroke-width": 2, "stroke-dasharray": dashes,
    }));
    const dots = (heights, fill, r) => heights.map((height, i) => make("circle", { svg: true, cx: x(i), cy: y(height), r, fill }));
    const squares = (heights) => heights.map((height, i) => make("g", { svg: true, fill: "currentColor" },
      make("rect", { svg: true, x: x(i), y: y(height) - 4, width: 8, height: 8, transform: "translate(-4 0)" })));
    const told = frames.map((frame, i) => `${frame.label}: loss ${fixed(losses[i], 2)}, best ${kind} head ${fixed(best[i], 2)}`);
    const parts = losses.map((loss) => loss / most), own = this.frame.scores[kind] ? this.strongest(kind)[0].score : null;
    this.trainingSay.replaceChildren(
      make("span", {}, `■ loss of this text: ${fixed(this.frame.loss, 2)} nats a token, of ${fixed(most, 2)} at most`),
      make("span", {}, `● best ${kind} head: ${fixed(own, 2)}, of 1`));
    return make("svg", { role: "img", "aria-label": `${told.join("; ")}.`, style: "height:72px" },
      make("line", { svg: true, x1: x(this.at), x2: x(this.at), y1: 0, y2: 72, stroke: "var(--line)", "stroke-width": 14 }),
      ...line(parts, "currentColor", "5 4"), ...line(best, "var(--accent)"), ...squares(parts), ...dots(best, "var(--accent)", 5));
  }

  // The keyboard

  onTokenKey(event) {
    const i = Number(event.target.dataset.i);
    const to = { ArrowRight: i + 1, ArrowDown: i + 1, ArrowLeft: i - 1, ArrowUp: i - 1, Home: 0, End: this.T - 1 }[event.key];
    if (to != null) {
      event.preventDefault();
      const chip = this.chips[clamp(to, 0, this.T - 1)];
      for (const each of this.chips) each.tabIndex = each === chip ? 0 : -1;
      chip.focus();
      this.setHover(this.atToken(chip));
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.setPin({ q: i });
    }
  }

  onSpotKey(event) {
    const { q, k } = this.look, steps = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    if (steps) {
      event.preventDefault();
      this.pin = null;
      const row = clamp(q + steps[0], 0, this.T - 1);
      this.setHover({ q: row, k: clamp((k ?? q) + steps[1], 0, this.frame.square ? this.T - 1 : row) });
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.setPin({ q, k: k ?? q });
    }
  }

  onHeadKey(event) {
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    const end = { Home: 0, End: this.frame.heads - 1 }[event.key];
    if (!step && end == null) return;
    event.preventDefault();
    const layer = clamp(this.layer + (step?.[0] ?? 0), 0, this.frame.layers - 1);
    this.choose(layer, end ?? clamp(this.head + step[1], 0, this.frame.heads - 1), true);
  }
}

function render({ model, el }) {
  const explorer = new Explorer(model, el);
  return () => explorer.close();
}

export default { render };
