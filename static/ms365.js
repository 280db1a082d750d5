// Everything works without this file. It adds the Copy buttons, the warning before unsaved changes are left behind, and
// pages that show by themselves how mailboxes are.
const GUARDED = "form[data-ms365-guard]";
const snapshots = new WeakMap();
const watched = new WeakSet();
// milliseconds: as often as this while something changes, and less and less often while nothing does
const SOON = 5_000, LATE = 60_000;

// A file counts by its name.
const snapshot = (form) => JSON.stringify([...new FormData(form)].map(([name, value]) => [name, value.name ?? value]));

// For the host's own scripts.
const tell = (element, name) => element.dispatchEvent(new Event(name, { bubbles: true }));

// Of the credentials only what belongs to the chosen kind; without this all of it is there, and says what is not in use.
function showCredential(form) {
  const select = form.elements["credential-value"];
  if (!select) return;
  const kind = form.elements["credential-use_default"]?.checked ? select.dataset.ms365Inherited : select.value;
  for (const field of form.querySelectorAll("[data-ms365-of]")) field.hidden = field.dataset.ms365Of !== kind;
  for (const hint of form.querySelectorAll("[data-ms365-unused]")) hint.hidden = true;
}

function scan(root = document) {
  for (const button of root.querySelectorAll("[data-ms365-copy]")) button.hidden = false;
  for (const region of root.querySelectorAll("[data-ms365-live]")) {
    if (!watched.has(region)) watch(region);
    watched.add(region);
  }
  for (const form of root.querySelectorAll(GUARDED)) {
    if (!snapshots.has(form)) snapshots.set(form, snapshot(form));
    showCredential(form);
  }
}

async function copy(button) {
  const source = document.getElementById(button.dataset.ms365Copy);
  const result = button.parentElement.querySelector("[role=status]");
  result.textContent = "";
  try {
    await navigator.clipboard.writeText(source.textContent);
    result.textContent = button.dataset.ms365Copied;
  } catch {
    // No clipboard on plain http: select the value, so that the keys named in the message do it.
    getSelection().selectAllChildren(source);
    result.textContent = button.dataset.ms365Failed;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-ms365-copy]");
  if (button) copy(button);
});

document.addEventListener("change", ({ target }) => {
  if (target.form?.matches(GUARDED)) showCredential(target.form);
});

document.addEventListener("submit", ({ target }) => snapshots.delete(target));

addEventListener("beforeunload", (event) => {
  const changed = (form) => snapshots.has(form) && snapshots.get(form) !== snapshot(form);
  if ([...document.querySelectorAll(GUARDED)].some(changed)) event.preventDefault();
});

// The check runs one step a request, so that its rows fill in while one looks; without this the form runs them all at once.
async function runSteps(form) {
  const region = document.getElementById(form.dataset.ms365Steps);
  const result = form.querySelector("[role=status]");
  const data = new FormData(form);
  data.set("step", "next");
  result.textContent = "";
  for (let next = ""; next !== null; next = region.querySelector("[data-ms365-next]")?.dataset.ms365Next ?? null) {
    if (next) data.set("run", next);
    const answer = await fetch(form.action, { method: "POST", body: data });
    if (!answer.ok) throw new Error(answer.statusText);
    region.innerHTML = await answer.text();
  }
  const summary = region.querySelector("[data-ms365-address]");
  history.replaceState(null, "", summary.dataset.ms365Address);
  result.textContent = summary.textContent;
  scan(region);
  tell(region, "ms365:state");
}

document.addEventListener("submit", (event) => {
  if (!event.target.dataset.ms365Steps) return;
  event.preventDefault();
  runSteps(event.target).catch(() => event.target.submit());
});

// Make one node say what another one says, and leave alone what does: whoever is in the middle of it stays there.
function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeName !== fresh.nodeName || old.id !== fresh.id) return old.replaceWith(fresh);
  if (old.nodeType !== Node.ELEMENT_NODE) return (old.nodeValue = fresh.nodeValue);
  // what a visitor has unfolded stays so
  for (const { name } of [...old.attributes]) if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) old.setAttribute(name, value);
  morphInside(old, fresh);
}

function morphInside(old, fresh) {
  const before = [...old.childNodes];
  const after = [...fresh.childNodes];
  after.forEach((node, at) => (before[at] ? morph(before[at], node) : old.append(node)));
  for (const node of before.slice(after.length)) node.remove();
}

// A region asks again while somebody looks. Most answers are 304, and cost next to nothing.
function watch(region) {
  const foot = region.nextElementSibling;
  const button = foot?.querySelector("[data-ms365-pause]");
  if (!button) return;
  let [wait, timer, isPaused] = [SOON];
  const state = () => region.querySelector("[data-ms365-state]")?.textContent;

  async function ask() {
    const answer = await fetch(region.dataset.ms365Live, { headers: { "If-None-Match": `"${region.dataset.ms365Version}"` } });
    // signed out, or no longer allowed
    if (answer.redirected || (answer.status >= 400 && answer.status < 500)) button.hidden = isPaused = true;
    wait = answer.status === 304 ? Math.min(wait * 1.5, LATE) : SOON;
    if (isPaused || answer.status === 304) return;
    if (!answer.ok) throw new Error(answer.statusText);
    const [before, page] = [state(), document.createElement("template")];
    page.innerHTML = await answer.text();
    region.dataset.ms365Version = answer.headers.get("ETag").replace(/^W\/|"/g, "");
    morphInside(region, page.content);
    if (state() === before) return;
    foot.querySelector("[role=status]").textContent = state();
    tell(region, "ms365:state");
  }

  const plan = (ms = wait) => {
    clearTimeout(timer);
    if (!isPaused && !document.hidden && region.isConnected) timer = setTimeout(go, ms);
  };
  const go = () => ask().catch(() => (wait = LATE)).then(() => plan());
  button.hidden = false;
  button.addEventListener("click", () => {
    isPaused = !isPaused;
    [button.textContent, button.dataset.ms365Pause] = [button.dataset.ms365Pause, button.textContent];
    plan(0);
  });
  document.addEventListener("visibilitychange", () => plan(0));
  plan();
}

document.addEventListener("ms365:scan", ({ target }) => scan(target));
scan();
for (const saved of document.querySelectorAll("[data-ms365-saved]")) tell(saved, "ms365:saved");
