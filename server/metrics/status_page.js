"use strict";
// Shows status.json, anew every second. What clients can choose (ids, names) reaches the page as text
// nodes and attributes' values only.

const kept = 300;             // samples of a second that the lines show
const staleAfterMs = 3000;    // the server's silence from which on its numbers fade
const pollMs = 1000;
const series = {queued: [], running: [], kv_usage: [], tokens_per_second: [], ends_per_second: [], failed_per_second: [], cpus: []};
let before = null;            // the last status of a loaded server
let seenAt = null;            // when a status came last
let isLoaded = false;
let problem = "";             // why the server gave none the last time

const $ = id => document.getElementById(id);

// ---- words ----

const number = n => n.toLocaleString("en", {maximumFractionDigits: n < 10 ? 1 : 0});
const compact = n => n.toLocaleString("en", {notation: "compact", maximumFractionDigits: 1});
const percent = share => number(100 * share) + " %";
const cpus = n => n.toFixed(n < 1 ? 2 : 1) + " CPUs";
const words = name => name.toLowerCase().replaceAll("_", " ");
const bytes = n => n < 2 ** 30 ? number(n / 2 ** 20) + " MiB" : (n / 2 ** 30).toFixed(1) + " GiB";
const duration = s => s == null ? "–" : s < 1 ? (1e3 * s).toFixed(s < .1 ? 1 : 0) + " ms" : s < 120 ? s.toFixed(s < 10 ? 2 : 1) + " s"
  : s < 7200 ? (s / 60).toFixed(0) + " min" : s < 172800 ? (s / 3600).toFixed(1) + " h" : (s / 86400).toFixed(1) + " d";
const age = s => s < 120 ? s.toFixed(0) + " s" : duration(s);

// ---- elements ----

function text(node, value) {
  if (typeof node === "string") node = $(node);
  if (node.textContent !== value) node.textContent = value;
}

function big(id, value, unit, name = "") {
  const box = $(id);
  if (!box.lastElementChild) box.replaceChildren("", document.createElement("small"));
  if (box.firstChild.data !== value) box.firstChild.data = value;
  text(box.lastElementChild, " " + unit);
  box.className = "big " + name;
}

function bar(id, share) { $(id).style.width = 100 * Math.min(Math.max(share || 0, 0), 1) + "%"; }

// As many children as wanted; those that are there stay, so that a reader's place and selection do too.
function resize(parent, count, make) {
  while (parent.children.length > count) parent.lastElementChild.remove();
  while (parent.children.length < count) parent.append(make(parent.children.length));
}

// The roles say to screen readers what CSS takes away where rows become blocks.
function element(tag, role, scope) {
  const node = document.createElement(tag);
  if (role) node.setAttribute("role", role);
  if (scope) node.setAttribute("scope", scope);
  return node;
}

function rowOf(tr, cells, labels) {
  resize(tr, cells.length, i => i ? element("td", "cell") : element("th", "rowheader", "row"));
  cells.forEach((cell, i) => {
    const {value, name = ""} = typeof cell === "object" ? cell : {value: String(cell)};
    text(tr.children[i], value);
    tr.children[i].className = name;
    if (i && labels) tr.children[i].dataset.label = labels[i];
  });
}

// Each row's first cell names it. Without rows `empty` is said.
function table(id, head, rows, empty) {
  const node = $(id);
  if (!node.tHead) {
    node.setAttribute("role", "table");
    node.append(element("thead", "rowgroup"), element("tbody", "rowgroup"), element("tfoot", "rowgroup"));
    node.tFoot.append(element("tr", "row"));
    node.tFoot.rows[0].append(element("td", "cell"));
    const tr = element("tr", "row");
    for (const title of head) {
      const th = element("th", "columnheader", "col");
      th.textContent = title;
      tr.append(th);
    }
    node.tHead.append(tr);
  }
  node.tHead.hidden = !rows.length;
  const body = node.tBodies[0];
  node.tFoot.hidden = rows.length > 0;
  text(node.tFoot.rows[0].cells[0], empty);
  resize(body, rows.length, () => element("tr", "row"));
  rows.forEach((cells, i) => rowOf(body.children[i], cells, head));
}

// The last five minutes, or what there is of them: at least one.
function sparkline(id, top, print) {
  const values = series[id], peak = Math.max(0, ...values), most = Math.max(top || 0, peak, 1e-9);
  const span = Math.max(60, values.length), x = i => (span - values.length + i) / (span - 1) * 100;
  const points = values.map((v, i) => `${x(i)},${30 - 28 * v / most}`);
  const svg = $(id);
  text(id + "-scale", points.length ? `${age(values.length)}, at most ${print(peak)}` : "");
  if (!svg.firstChild) {
    svg.setAttribute("viewBox", "0 0 100 30");
    svg.setAttribute("preserveAspectRatio", "none");
    for (const tag of ["path", "polyline"]) svg.append(document.createElementNS("http://www.w3.org/2000/svg", tag));
  }
  svg.firstChild.setAttribute("d", points.length ? `M${x(0)},30 L${points.join(" L")} L100,30 Z` : "");
  svg.lastChild.setAttribute("points", points.join(" "));
}

// ---- what a status holds ----

// What came since the status before, a second.
function ratesOf(s) {
  const seconds = before ? s.uptime_seconds - before.uptime_seconds : 0;
  const per = get => seconds > 0 ? Math.max(get(s) - get(before), 0) / seconds : 0;
  return {tokens_per_second: seconds > 0 ? per(t => t.engine.generated_tokens) : s.engine.tokens_per_second,
    ends_per_second: per(t => t.num_ended), failed_per_second: per(t => t.num_failed), cpus: per(t => t.process.cpu_seconds)};
}

// After a silence, a restart, or in a tab that slept, the server's own record is the better one.
async function remember(s) {
  if (before && before.process.start_time !== s.process.start_time) before = null;
  const elapsed = before ? s.uptime_seconds - before.uptime_seconds : Infinity;
  const rates = ratesOf(s);
  if (elapsed > 3 * pollMs / 1e3) {
    const history = await fetchJson("status/history.json");
    for (const name in series) series[name] = history[name].slice(-kept);
  } else {
    const sample = {...rates, queued: s.queue.requests, running: s.batch.sequences, kv_usage: s.kv.usage};
    for (const name in series) series[name] = [...series[name], sample[name]].slice(-kept);
  }
  before = s;
  return rates;
}

function showFacts(s) {
  const m = s.model;
  const facts = {Host: s.host, Version: "tern " + s.version, Up: duration(s.uptime_seconds), CPU: s.cpu};
  if (m) Object.assign(facts, {Model: m.name, Architecture: m.architecture, Parameters: `${compact(m.num_parameters)} (${number(m.num_parameters)})`,
    Weights: `${m.weight_format}, ${bytes(m.weight_bytes)}`, Context: `${number(m.max_model_len)} tokens`,
    Vocabulary: `${number(m.vocab_size)} tokens`, "KV cache": `${number(m.kv_bytes_per_token)} bytes a token, blocks of ${s.kv.block_size} tokens`,
    "Chat template": m.chat_template ? "yes" : "none",
    "Computed by": m.isa ? `${m.threads} threads, ${m.isa}, arithmetic ${m.compute}` : "simulation"});
  facts["gRPC on"] = s.listen.join(", ");
  const names = Object.keys(facts);
  resize($("facts"), names.length, () => {
    const pair = document.createElement("div");
    pair.append(document.createElement("dt"), document.createElement("dd"));
    return pair;
  });
  names.forEach((name, i) => {
    text($("facts").children[i].firstChild, name);
    text($("facts").children[i].lastChild, facts[name]);
  });
}

function showCards(s, rates) {
  big("queue", number(s.queue.requests), `of ${number(s.queue.limit)} waiting`);
  bar("queue-bar", s.queue.requests / s.queue.limit);
  text("queue-more", `${number(s.queue.tokens)} tokens · oldest ${duration(s.queue.oldest_seconds)} · predicted wait ${duration(s.queue.predicted_seconds)}`);
  big("batch", number(s.batch.sequences), `of ${number(s.batch.limit)} running`);
  bar("batch-bar", s.batch.sequences / s.batch.limit);
  text("batch-more", `${number(s.engine.steps)} steps · ${number(s.engine.preemptions)} preemptions`);
  big("kv", percent(s.kv.usage), "in use");
  bar("kv-bar", s.kv.used / s.kv.total);
  bar("kv-cached", s.kv.cached / s.kv.total);
  text("kv-more", `${number(s.kv.used)} used · ${number(s.kv.cached)} cached · ${number(s.kv.free)} free blocks`);
  big("rate", number(s.engine.tokens_per_second), "tokens/s");
  text("rate-more", `${number(s.engine.generated_tokens)} tokens in all`);
  big("ends", number(rates.ends_per_second), "ends/s");
  text("ends-more", `${number(s.num_accepted)} accepted · ${number(s.num_ended)} ended · ${number(s.num_refused)} refused`);
  const minute = s.last_minute;
  big("errors", minute.ended ? percent(minute.failed / minute.ended) : "–", `of ${number(minute.ended)} ends`, minute.failed ? "failed" : "");
  text("errors-more", `${number(minute.failed)} failed · ${number(minute.cancelled)} cancelled · ${number(minute.refused)} refused`);
  text("errors-total", `since start ${number(s.num_failed)} failed · ${number(s.num_cancelled)} cancelled`);
  const cache = s.prefix_cache, since = cache.query_tokens ? `${percent(cache.hit_tokens / cache.query_tokens)} since start: ` : "";
  big("prefix", minute.prompt_tokens ? percent(minute.cached_tokens / minute.prompt_tokens) : "–", "of prompt tokens found");
  bar("prefix-bar", minute.cached_tokens / minute.prompt_tokens);
  text("prefix-more", `${since}${compact(cache.hit_tokens)} of ${compact(cache.query_tokens)} tokens · ${number(cache.evicted_blocks)} blocks evicted`);
  const p = s.process, limit = p.memory_limit_bytes;
  big("process", bytes(p.resident_bytes || 0), `resident · ${cpus(rates.cpus)}`);
  bar("process-bar", limit ? 1 - p.memory_available_bytes / limit : 0);
  text("process-more", (limit ? `${bytes(p.memory_available_bytes)} left of ${bytes(limit)} · ` : "") +
    `${p.threads ?? "–"} threads · ${p.open_fds ?? "–"} files open` + (p.max_fds ? ` of ${number(p.max_fds)}` : ""));
}

function showLines(s) {
  const a = unit => n => number(n) + " " + unit;
  sparkline("queued", 0, a("waiting"));
  sparkline("running", s.batch.limit, a("running"));
  sparkline("kv_usage", 1, percent);
  sparkline("tokens_per_second", 0, a("tokens/s"));
  sparkline("ends_per_second", 0, a("ends/s"));
  sparkline("failed_per_second", 0, a("failed/s"));
  sparkline("cpus", 0, cpus);
}

function showLive(s) {
  const head = ["id", "class", "state", "age", "answers", "prompt", "computed", "answer"];
  text("live-title", s.num_live > s.requests.length ? `Live requests: ${s.num_live}, the oldest ${s.requests.length}` : `Live requests: ${s.num_live}`);
  table("live", head, s.requests.map(r => [r.id, r.class, r.queued ? "queued" : "admitted", duration(r.age_seconds), r.n, r.prompt_tokens,
    r.computed_tokens, r.completion_tokens]), "none");
}

function showEnds(s) {
  const minute = s.last_minute, latency = minute.latency;
  const row = (name, p) => [name, duration(p.p50), duration(p.p95), duration(p.p99)];
  text("latency-title", `Latency in the last minute, of ${number(minute.ended)} requests`);
  table("latency", ["time", "p50", "p95", "p99"], minute.ended ? [row("first token (TTFT)", latency.ttft_seconds),
    row("per token (TPOT)", latency.tpot_seconds), row("whole (E2E)", latency.e2e_seconds)] : [], "none");
  table("refusals", ["reason", "last minute", "since start"], s.refusals.map(r => [words(r.reason), number(r.last_minute), number(r.total)]), "none");
  table("recent", ["id", "class", "via", "end", "code", "prompt", "answer", "TTFT", "E2E", "ago"], s.recent.map(r => [r.id || "–", r.class, r.transport,
    {value: words(r.reason), name: r.outcome}, words(r.code), r.prompt_tokens, r.completion_tokens, duration(r.ttft_seconds),
    duration(r.e2e_seconds), duration(r.ago_seconds)]), "none");
}

async function show(s) {
  isLoaded = Boolean(s.model);
  text("model", s.model ? s.model.name : "tern");
  text("about", [s.host, "tern " + s.version, "up " + duration(s.uptime_seconds),
    ...(s.load ? [`loading ${s.load.stage}: ${(100 * s.load.fraction).toFixed(0)} %`] : [])].join(" · "));
  showState(s.state);
  showFacts(s);
  showEnds(s);
  if (!isLoaded) return;
  const rates = await remember(s);
  showCards(s, rates);
  showLines(s);
  showLive(s);
}

// ---- the state, and its age ----

function showState(state) {
  $("state").className = "state " + state;
  text("state", state);
  document.title = [state, $("model").textContent, before ? before.host : location.host].join(" · ");
}

// Each second, whether or not the server answers.
function showAge() {
  const ms = seenAt === null ? Infinity : Date.now() - seenAt, isSilent = ms > staleAfterMs;
  $("main").classList.toggle("stale", isSilent || !isLoaded);
  const said = [problem, isSilent && seenAt !== null ? `last seen ${age(ms / 1e3)} ago` : ""].filter(Boolean);
  $("seen").hidden = !said.length;
  text("seen", said.join(", "));
}

async function fetchJson(path) {
  const answer = await fetch(path, {cache: "no-store", signal: AbortSignal.timeout(4000)});
  if (!answer.ok) problem = `answers ${answer.status}`;
  return answer.ok ? answer.json() : Promise.reject(new Error(problem));
}

async function poll() {
  problem = "";
  const s = await fetchJson("status.json").catch(error => console.warn(error));
  if (s) seenAt = Date.now();
  else showState("unreachable");
  // Before show(): a fault of this page must not end the polling.
  setTimeout(poll, pollMs);
  if (s) await show(s);
  showAge();
}

setInterval(showAge, 1000);
poll();
