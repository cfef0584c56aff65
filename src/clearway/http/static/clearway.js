// Clearway's own behaviour in the browser. Everything here adds to pages that work without it.
// Only delegation on `document`: regions come and go, and nothing has to be wired again. No inline code anywhere.
"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children); // strings become text, never markup
    return element;
  };
  const csrf = () => $('meta[name="csrf-token"]')?.content ?? "";

  // htmx ------------------------------------------------------------------------------------------------------
  // htmx 4 inherits nothing unless told to, so the token is set here, on each request that may change something.
  document.addEventListener("htmx:config:request", (event) => {
    const { request } = event.detail.ctx;
    if (!/^(GET|HEAD|OPTIONS|QUERY)$/i.test(request.method) && csrf()) request.headers["X-CSRF-Token"] = csrf();
  });
  // htmx can run text of attributes as code. Our pages have none, and the policy forbids it: here it is refused first.
  const refuse = function () { throw new Error("code in attributes is not run here"); };
  const html = { createHTML: (text) => text, createScript: refuse };
  const trusted = window.trustedTypes?.createPolicy("clearway", html) ?? html; // the only one that the policy admits
  window.htmx?.registerExtension("none", { init: (api) => api.initSecurity(trusted, refuse, refuse) });
  document.addEventListener("htmx:error", (event) => {
    const target = event.detail?.ctx?.target;
    if (!target || event.detail.error?.name === "AbortError") return;
    say("The server did not answer. What you see is as it was; check your connection and try again.");
  });
  // What takes longer than a second says so: a part of the page by htmx, and a whole page while the old one still stands.
  const waits = new Map();
  const shown = () => { const bar = $("#slow-bar"); if (bar) bar.hidden = ![...waits.values()].includes("slow"); };
  const waiting = (key) => {
    if (!waits.has(key)) waits.set(key, setTimeout(() => { waits.set(key, "slow"); shown(); }, 1000));
    if (key === "page") setTimeout(() => waited(key), 30000); // what was a file to be saved leaves the page where it is
  };
  const waited = (key) => { clearTimeout(waits.get(key)); waits.delete(key); shown(); };
  document.addEventListener("htmx:before:request", (event) => { waiting(event.detail.ctx); });
  document.addEventListener("htmx:finally:request", (event) => { waited(event.detail.ctx); });
  window.addEventListener("pageshow", () => { for (const key of [...waits.keys()]) waited(key); });
  window.addEventListener("pagehide", () => { for (const key of [...waits.keys()]) waited(key); });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    const opens = link && event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
    if (!opens || event.defaultPrevented || link.hasAttribute("download") || (link.target && link.target !== "_self")) return;
    if (link.origin === location.origin && link.href.split("#")[0] !== location.href.split("#")[0]) waiting("page");
  });
  document.addEventListener("submit", (event) => {
    if (!event.defaultPrevented && !event.target.matches('[method="dialog"]')) waiting("page");
  });
  // What was replaced takes the focus with it unless its successor has the same id; htmx sees to that, but for what lies
  // in a menu that the swap has closed, and for what has no successor.
  let focused = "";
  document.addEventListener("htmx:before:swap", () => { focused = document.activeElement?.id ?? ""; });
  document.addEventListener("htmx:after:swap", (event) => {
    dress(document);
    const { target, sourceEvent } = event.detail.ctx;
    if (document.activeElement === document.body && /^(click|submit|keydown)$/.test(sourceEvent?.type ?? "")) {
      const successor = focused && document.getElementById(focused);
      const menu = successor?.closest?.("details:not([open])");
      if (menu) menu.open = true;
      const to = successor || target;
      if (to instanceof HTMLElement && to !== document.body) {
        if (!successor && !to.hasAttribute("tabindex")) to.tabIndex = -1;
        to.focus({ preventScroll: true });
      }
    }
    // Another page of a list is read from its beginning.
    if (target instanceof HTMLElement && sourceEvent?.target?.closest?.(".pager")) {
      if (!target.hasAttribute("tabindex")) target.tabIndex = -1;
      target.focus({ preventScroll: true });
      target.scrollIntoView({ block: "start" });
    }
    const total = target instanceof HTMLElement && $(".list-total", target)?.textContent.trim();
    if (total && $("#announce")) $("#announce").textContent = total;
  });

  // Words for the reader ---------------------------------------------------------------------------------------
  function say(words) {
    const toast = make("div", { class: "toast", "data-toast": "" }, make("p", {}, words),
      make("button", { type: "button", class: "plain", "data-dismiss": "", "aria-label": "Dismiss" }, "×"));
    $("#toasts")?.replaceChildren(toast);
  }

  // Times in the browser's zone, and tips that the keyboard can reach ---------------------------------------------
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const local = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
  function dress(root) {
    if (zone && zone !== "UTC") {
      for (const time of $$("time[datetime*='T']:not([data-tip-local])", root)) {
        const at = new Date(time.dateTime);
        if (!Number.isNaN(+at)) time.dataset.tipLocal = ` · here ${local.format(at)}`;
      }
      for (const time of $$("time[data-tip]:not([datetime*='T'], [data-tip-local])", root)) {
        const end = new Date(`${time.dateTime}T24:00:00Z`);
        if (!Number.isNaN(+end)) time.dataset.tipLocal = ` · ends here ${local.format(end)}`;
      }
    }
    // On a phone the filters would push the list off the screen: they are folded when first seen.
    for (const fold of $$("details[data-fold]", root)) {
      if (matchMedia("(max-width: 720px)").matches) fold.open = false;
      delete fold.dataset.fold;
    }
    const row = current();
    for (const tip of $$("[data-tip]", root)) {
      const within = tip.closest("tr[data-row]");
      tip.tabIndex = within && within !== row ? -1 : 0; // hundreds of stops would drown the page's own
    }
    count();
    live();
  }

  // Rows -------------------------------------------------------------------------------------------------------
  const rows = () => $$("[data-row]").filter((row) => row.offsetParent !== null);
  const current = () => document.activeElement?.closest?.("[data-row]") ?? null;
  function move(by) {
    const all = rows();
    if (!all.length) return;
    const at = all.indexOf(current());
    const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1)];
    next.tabIndex = -1;
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }
  document.addEventListener("focusin", (event) => {
    const row = event.target.closest?.("tr[data-row]");
    for (const tip of $$("tr[data-row] [data-tip][tabindex='0']")) if (tip.closest("tr[data-row]") !== row) tip.tabIndex = -1;
    if (row) for (const tip of $$("[data-tip]", row)) tip.tabIndex = 0;
  });

  function count() {
    for (const bulk of $$("[data-bulk]")) {
      const scope = bulk.closest("form") ?? document;
      const chosen = $$('input[name="id"]:checked', scope).length;
      const all = $('input[name="all"]', bulk)?.checked;
      bulk.classList.toggle("chosen", Boolean(chosen || all));
      const out = $("[data-bulk-count]", bulk);
      const words = all ? "All that match" : `${chosen} selected`;
      if (out && out.value !== words) out.value = words;
      const head = $("[data-pick-all]", scope);
      const boxes = $$('input[name="id"]', scope);
      if (head) {
        head.checked = boxes.length > 0 && chosen === boxes.length;
        head.indeterminate = chosen > 0 && chosen < boxes.length;
      }
    }
  }
  let picked = null; // for shift and click: from the last box to this one
  document.addEventListener("click", (event) => {
    const box = event.target.closest?.('input[name="id"]');
    if (!box) return;
    const boxes = $$('input[name="id"]', box.closest("table") ?? document);
    if (event.shiftKey && picked && boxes.includes(picked)) {
      const [from, to] = [boxes.indexOf(picked), boxes.indexOf(box)].sort((a, b) => a - b);
      for (const between of boxes.slice(from, to + 1)) between.checked = box.checked;
    }
    picked = box;
    count();
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches?.("[data-pick-all]")) {
      for (const box of $$('input[name="id"]', event.target.closest("form") ?? document)) box.checked = event.target.checked;
    }
    if (event.target.matches?.("[data-pick-all], input[name='id'], input[name='all']")) count();
  });

  // Clicks that act ----------------------------------------------------------------------------------------------
  const looks = {
    theme: { "": "as the system", light: "light", dark: "dark" },
    density: { "": "roomy", compact: "compact" },
    words: { plain: "Exact words", exact: "Plain words" },
  };
  function look(button) {
    const name = button.dataset.look;
    const values = button.dataset.values.split(" ");
    const html = document.documentElement;
    const next = values[(values.indexOf(html.dataset[name] ?? "") + 1) % values.length];
    if (next) html.dataset[name] = next; else delete html.dataset[name];
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `clearway_${name}=${next}; path=/; samesite=lax; max-age=${next ? 31536000 : 0}${secure}`;
    const out = $("[data-look-value]", button) ?? button;
    out.textContent = looks[name][next];
  }
  document.addEventListener("click", (event) => {
    const at = event.target;
    if (!(at instanceof Element)) return;
    const plain = !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
    const looker = at.closest("[data-look]");
    if (looker && plain) { event.preventDefault(); look(looker); }
    if (at.closest("[data-dismiss]")) at.closest("[data-toast]")?.remove();
    if (at.closest("[data-help]")) help();
    if (!("command" in HTMLButtonElement.prototype)) { // browsers without invoker commands
      const opener = at.closest("[data-dialog]");
      if (opener) document.getElementById(opener.dataset.dialog)?.showModal();
      if (at.closest("[data-close]")) at.closest("dialog")?.close();
    }
    for (const menu of $$("details.menu[open]")) if (!menu.contains(at)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of $$("details.menu[open]")) {
      const inside = menu.contains(document.activeElement);
      menu.open = false;
      if (inside) $("summary", menu)?.focus();
    }
  });
  document.addEventListener("input", (event) => {
    const wanted = event.target.dataset?.phrase;
    if (wanted) event.target.setCustomValidity(event.target.value === wanted ? "" : `Type exactly: ${wanted}`);
  });

  // Keyboard -----------------------------------------------------------------------------------------------------
  const KEYS = [
    ["/", "search"], ["j  k", "next and previous row"], ["x", "select the row"], ["e", "open the row"],
    ["a", "act on the row, or on what is selected"], ["Ctrl K", "go to anything by name"], ["?", "this list"],
  ];
  const single = () => localStorage.getItem("clearway-keys") !== "off"; // WCAG 2.1.4: they can be turned off
  const act = {
    "/": () => $("[data-search]")?.focus(),
    j: () => move(1),
    k: () => move(-1),
    x: () => { const box = current() && $('input[name="id"]', current()); if (box) { box.checked = !box.checked; picked = box; count(); } },
    e: () => { const row = current(); (row && ($("[data-open]", row) ?? $("a[href]", row)))?.click(); },
    a: () => {
      const row = current();
      const control = (row && $("[data-act]", row)) || $(".bulk.chosen button") || $("[data-act]:not([data-row] *)");
      control?.focus();
      // What opens is opened; what acts waits for the reader's Enter.
      if (control?.matches("summary, a, [commandfor], [popovertarget]")) control.click();
    },
    "?": () => help(),
  };
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      palette();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    if (event.target.closest?.("input:not([type='checkbox']), textarea, select, dialog, [contenteditable]")) return;
    if (!single()) return;
    if (Object.hasOwn(act, event.key)) { event.preventDefault(); act[event.key](); return; }
    const own = keyed().find((control) => control.dataset.key === event.key);
    if (!own) return;
    event.preventDefault();
    own.focus(); // as for `a`: what acts waits for Enter
    if (own.matches("summary, a, [commandfor], [popovertarget]")) own.click();
  });
  // Keys of the page itself: `data-key` on a control that can be seen.
  const keyed = () => $$("[data-key]").filter((control) => control.offsetParent !== null);

  function dialog(id, label) {
    document.getElementById(id)?.remove();
    const box = make("dialog", { id, class: "dialog", "aria-label": label });
    document.body.append(box);
    box.addEventListener("close", () => box.remove());
    box.addEventListener("click", (event) => { if (event.target === box) box.close(); });
    return box;
  }
  function help() {
    const box = dialog("keyboard-help", "Keyboard");
    const list = make("dl", { class: "keys" });
    const own = $$("[data-key]").map((control) => [control.dataset.key, control.textContent.trim().toLowerCase()]);
    for (const [keys, what] of [...KEYS.slice(0, -1), ...own, KEYS.at(-1)]) {
      const term = make("dt");
      for (const key of keys.split("  ")) term.append(make("kbd", {}, key), " ");
      list.append(term, make("dd", {}, what));
    }
    const toggle = make("input", { type: "checkbox", id: "keys-on" });
    toggle.checked = single();
    toggle.addEventListener("change", () => localStorage.setItem("clearway-keys", toggle.checked ? "on" : "off"));
    const close = make("button", { type: "button", class: "primary" }, "Close");
    close.addEventListener("click", () => box.close());
    box.append(make("h2", {}, "Keyboard"), list,
      make("p", {}, toggle, " ", make("label", { for: "keys-on" }, "Keys of one letter act")),
      make("p", { class: "actions" }, close));
    box.showModal();
  }

  // Command palette: the ways of this page and of the navigation --------------------------------------------------
  function palette() {
    if ($("#palette")) return;
    const entries = [];
    for (const element of $$("[data-command]")) {
      const label = element.dataset.command || element.textContent.trim();
      if (label && !entries.some((entry) => entry.label === label)) entries.push({ label, go: () => element.click() });
    }
    const search = $("[data-search]");
    const box = dialog("palette", "Go to anything by name");
    box.classList.add("palette");
    const input = make("input", { type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": "palette-list", "aria-autocomplete": "list", "aria-label": "Go to", placeholder: "Go to…", autocomplete: "off", maxlength: "200" });
    const list = make("ul", { role: "listbox", id: "palette-list", "aria-label": "Matches" });
    let shown = [], at = 0, kept = [], asked = 0;
    // Assets and flaws by name, as far as the reader may see them: asked for once the typing rests.
    const ask = (text) => {
      const turn = ++asked;
      kept = [];
      if (!search || text.length < 3) return;
      setTimeout(async () => {
        if (turn !== asked) return;
        const found = await Promise.all(["asset", "flaw"].map(async (kind) => {
          const address = new URL(`${new URL(search.form.action).pathname}.json`, location.href);
          address.search = String(new URLSearchParams({ q: text, kind }));
          try {
            const answer = await fetch(address, { headers: { accept: "application/json" } });
            return answer.ok ? (await answer.json()).groups.flatMap((group) => group.items).slice(0, 5) : [];
          } catch { return []; }
        }));
        if (turn !== asked) return;
        kept = found.flat().map((item) => ({ label: item.title, go: () => { location.href = item.path; } }));
        draw();
      }, 250);
    };
    const draw = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      shown = entries.filter((entry) => words.every((word) => entry.label.toLowerCase().includes(word))).slice(0, kept.length ? 5 : 12);
      shown.push(...kept);
      if (search && input.value.trim()) {
        const text = input.value.trim();
        shown.push({ label: `Search for “${text}”`, go: () => { search.value = text; search.form.requestSubmit(); } });
      }
      at = Math.min(at, Math.max(shown.length - 1, 0));
      list.replaceChildren(...shown.map((entry, number) => {
        const item = make("li", { role: "option", id: `palette-${number}`, "aria-selected": String(number === at) }, entry.label);
        item.addEventListener("click", () => { box.close(); entry.go(); });
        return item;
      }));
      if (!shown.length) list.replaceChildren(make("li", { class: "none", role: "option", "aria-disabled": "true" }, "Nothing of that name"));
      input.setAttribute("aria-activedescendant", shown.length ? `palette-${at}` : "");
    };
    input.addEventListener("input", () => { at = 0; ask(input.value.trim()); draw(); });
    input.addEventListener("keydown", (event) => {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (by && shown.length) { event.preventDefault(); at = (at + by + shown.length) % shown.length; draw(); list.children[at].scrollIntoView({ block: "nearest" }); }
      if (event.key === "Enter" && shown[at]) { event.preventDefault(); const { go } = shown[at]; box.close(); go(); }
    });
    box.append(input, list);
    draw();
    box.showModal();
    input.focus();
  }

  // Live changes gather in a quiet bar; nothing moves until the reader asks (`ui.live`). Each event of the kinds asked for
  // counts one, or as many as its body says under the name in `data-live-count`. The browser sends Last-Event-ID by itself when it connects again; else `after` says from where.
  let followed = null, stream = null; // the place, and how it is followed
  function live() {
    const place = $("[data-live]");
    if (place === followed || !window.EventSource) return;
    followed = place;
    stream = null;
    attend();
    const bar = $("#quiet-bar");
    if (bar) bar.hidden = true;
    if (!place) return;
    const address = new URL(place.dataset.live, location.href);
    if (address.origin !== location.origin) return;
    for (const kind of (place.dataset.liveKinds ?? "").split(" ").filter(Boolean)) address.searchParams.append("kind", kind);
    const seen = new Map(); // event -> how many of what the page lists it brings
    const brought = (text) => {
      try {
        const many = JSON.parse(text).body?.[place.dataset.liveCount];
        return Number.isInteger(many) && many > 0 ? many : 1;
      } catch { return 1; }
    };
    const tell = (words) => {
      if (!bar) return;
      const show = make("a", { href: place.dataset.liveHref || location.pathname + location.search }, "show");
      bar.replaceChildren(make("span", {}, words), show);
      bar.hidden = false;
    };
    const old = () => tell("This page may be out of date");
    let last = place.dataset.liveFrom, source = null;
    stream = {
      open() {
        if (last) address.searchParams.set("after", last);
        source = new EventSource(address);
        source.addEventListener("message", (event) => {
          last = event.lastEventId || last;
          seen.set(event.lastEventId || String(seen.size), brought(event.data));
          tell(`${[...seen.values()].reduce((sum, many) => sum + many, 0).toLocaleString("en")} new`);
        });
        source.addEventListener("reset", (event) => { last = event.lastEventId || last; old(); });
        // Refused for good, as from a place of more than a day ago.
        source.addEventListener("error", (event) => { if (event.target.readyState === EventSource.CLOSED) old(); });
      },
      close() { source.close(); },
    };
    attend();
  }
  // A browser allows six connections to one server over HTTP/1.1, all its tabs together, and a stream is one. So a window
  // has a stream while it can be seen and there is a turn for it, and goes on from its last event at the next; where
  // turns can't be had (plain http), while it has the focus.
  const TURNS = ["clearway-live-1", "clearway-live-2", "clearway-live-3"];
  let gone = false, attended = null, end = null;
  function attend() {
    const seen = !gone && document.visibilityState === "visible" && (navigator.locks || document.hasFocus());
    const wanted = seen ? stream : null;
    if (wanted === attended) return;
    end?.abort();
    attended = wanted;
    end = null;
    if (!wanted) return;
    end = new AbortController();
    const { signal } = end;
    const follow = () => new Promise((resolve) => {
      wanted.open();
      signal.addEventListener("abort", () => { wanted.close(); resolve(); });
    });
    if (!navigator.locks) { follow(); return; }
    const waits = new AbortController(); // for a turn, whichever comes first
    signal.addEventListener("abort", () => waits.abort());
    for (const turn of TURNS) {
      navigator.locks.request(turn, { signal: waits.signal }, () => {
        if (waits.signal.aborted) return undefined; // another came at the same time
        waits.abort();
        return follow();
      }).catch((error) => { if (error.name !== "AbortError") throw error; });
    }
  }
  document.addEventListener("visibilitychange", attend);
  window.addEventListener("focus", attend);
  window.addEventListener("blur", attend);
  window.addEventListener("pagehide", () => { gone = true; attend(); });
  window.addEventListener("pageshow", () => { gone = false; attend(); });

  // On a phone the ways stand in one line that moves sideways: where one is comes into sight.
  function current_way() {
    for (const way of $$("header nav [aria-current]")) {
      const row = way.closest("nav");
      if (row.scrollWidth > row.clientWidth) row.scrollLeft = way.offsetLeft - (row.clientWidth - way.offsetWidth) / 2;
    }
  }
  const start = () => { dress(document); current_way(); };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start); else start();
})();
