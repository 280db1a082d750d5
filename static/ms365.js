// Everything works without this file. It adds the Copy buttons and the warning before unsaved changes are left behind.
const GUARDED = "form[data-ms365-guard]";
const snapshots = new WeakMap();

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

document.addEventListener("ms365:scan", ({ target }) => scan(target));
scan();
for (const saved of document.querySelectorAll("[data-ms365-saved]")) tell(saved, "ms365:saved");
