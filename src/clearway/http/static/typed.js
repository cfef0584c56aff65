// What was typed in a form that was refused, as when the session had ended, is back in it after signing in. It is kept in
// this tab alone (sessionStorage), from the sending until the act is done, for who typed it, and never from a form that
// holds a secret. Pages work without.
"use strict";
(() => {
  const KEY = "clearway-typed", MOST = 1_000_000, MINUTES = 60;
  const here = () => location.pathname + location.search;
  const viewer = () => document.querySelector('meta[name="viewer"]')?.content ?? "";
  const drop = () => { try { sessionStorage.removeItem(KEY); } catch { /* no storage, nothing kept */ } };
  const keep = (found) => {
    const text = JSON.stringify(found);
    try { if (text.length <= MOST) sessionStorage.setItem(KEY, text); else drop(); } catch { drop(); }
  };
  const kept = () => {
    try {
      const found = JSON.parse(sessionStorage.getItem(KEY));
      return found && Date.now() - found.since < MINUTES * 60_000 ? found : null;
    } catch { return null; }
  };
  const path = (form) => new URL(form.getAttribute("action") || location.href, location.href).pathname;
  const alike = (action) => [...document.forms].filter((form) => form.method === "post" && path(form) === action);
  const secret = (form) => Boolean(form.querySelector('[type="password"], [autocomplete="one-time-code"], [data-secret]'));
  const typed = (field) => field.name && !/^(hidden|file|password|submit|button|image|reset)$/.test(field.type) && field.tagName !== "BUTTON" && field.tagName !== "FIELDSET" && field.tagName !== "OUTPUT";
  const boxes = (field) => field.type === "checkbox" || field.type === "radio";

  document.addEventListener("submit", ({ target: form }) => {
    if (form.method !== "post") return;
    const action = path(form);
    const before = kept();
    drop();
    const fields = [...form.elements].filter(typed);
    if (/^\/sign-(in|out)(\/|$)/.test(action) || secret(form) || !viewer() || !fields.length) return;
    // A form that is shown again beside what is wrong with it stands at an address that only takes it.
    const at = before && before.action === action && location.pathname === action && !location.search ? before.at : here();
    keep({
      at, action, who: viewer(), since: Date.now(), waits: false,
      number: alike(action).indexOf(form),
      files: Boolean(form.querySelector('[type="file"]')?.files.length),
      fields: fields.map((field) => [field.name, field.value, boxes(field) ? field.checked : null]),
    });
  }, true);

  const make = (tag, attributes, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children); // strings become text, never markup
    return element;
  };
  const tell = (...words) => document.querySelector("#toasts")?.replaceChildren(
    make("div", { class: "toast", "data-toast": "" }, make("p", {}, ...words),
      make("button", { type: "button", class: "plain", "data-dismiss": "", "aria-label": "Dismiss" }, "×")));
  const file = (found) => (found.files ? " A file has to be chosen again." : "");

  function refused(found) {
    if (location.pathname !== found.action) return;
    keep({ ...found, waits: true });
    const lost = document.querySelector("[data-typed-lost]");
    const sign_in = document.querySelector("[data-sign-in]");
    if (lost) lost.textContent = `Nothing was done or saved. What you typed is kept in this tab, and is in the form again once you have signed in.${file(found)}`;
    if (sign_in) sign_in.search = String(new URLSearchParams({ next: found.at }));
    else document.querySelector("[data-ways]")?.prepend(make("a", { class: "button", href: found.at }, "Back to the form, with what you typed"), " ");
  }
  function restored(found) {
    const form = alike(found.action)[found.number];
    drop();
    if (!form || secret(form)) return;
    const left = [...form.elements].filter(typed);
    for (const [name, value, checked] of found.fields) {
      const at = left.findIndex((field) => field.name === name && (checked === null || field.value === value));
      if (at < 0) continue;
      const [field] = left.splice(at, 1);
      if (checked === null) field.value = value; else field.checked = checked;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      field.dispatchEvent(new Event("change", { bubbles: true }));
    }
    form.closest("dialog")?.showModal();
    tell(`What you typed is in the form again. It is not saved yet.${file(found)}`);
  }
  function start() {
    const found = kept();
    if (!found) { drop(); return; }
    if (document.querySelector("[data-problem]")) { refused(found); return; }
    if (!viewer()) return; // on the way to signing in
    if (viewer() !== found.who) { drop(); return; }
    if (found.waits && here() === found.at) { restored(found); return; }
    if (found.waits) {
      tell("What you typed is kept. ", make("a", { href: found.at }, "Back to the form"));
      return;
    }
    // Done; or shown again beside what is wrong with it, where it may have to be sent again.
    const [entry] = performance.getEntriesByType("navigation");
    if (!(entry?.responseStatus >= 400)) drop();
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start); else start();
})();
