// Passkeys: asks the browser for one, or makes one, and tells the server. Nothing here is secret.
"use strict";
(() => {
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  const send = async (path, body) => {
    const token = document.querySelector('meta[name="csrf-token"]');
    const headers = { "content-type": "application/json", accept: "application/json" };
    if (token) headers["x-csrf-token"] = token.content;
    const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    const found = await answer.json();
    if (!answer.ok) throw new Error([found.detail || found.title, found.mend].filter(Boolean).join(": "));
    return found;
  };

  const given = (credential) => {
    const r = credential.response;
    const parts = { clientDataJSON: text(r.clientDataJSON) };
    if (r.attestationObject) parts.attestationObject = text(r.attestationObject);
    if (r.authenticatorData) parts.authenticatorData = text(r.authenticatorData);
    if (r.signature) parts.signature = text(r.signature);
    if (r.userHandle) parts.userHandle = text(r.userHandle);
    return { id: credential.id, rawId: text(credential.rawId), type: credential.type, response: parts };
  };

  const signIn = async (button) => {
    const next = encodeURIComponent(button.dataset.next || "/");
    const options = await send(`/sign-in/passkey/options?next=${next}`, {});
    options.challenge = bytes(options.challenge);
    const credential = await navigator.credentials.get({ publicKey: options });
    return send("/sign-in/passkey", { credential: given(credential) });
  };

  const add = async (button) => {
    const options = await send("/settings/account/passkeys/options", {});
    options.challenge = bytes(options.challenge);
    options.user.id = bytes(options.user.id);
    for (const known of options.excludeCredentials || []) known.id = bytes(known.id);
    const credential = await navigator.credentials.create({ publicKey: options });
    const label = document.getElementById(button.dataset.label || "");
    return send("/settings/account/passkeys", { credential: given(credential), label: label ? label.value : "" });
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-passkey]");
    if (!button) return;
    const told = document.getElementById("passkey-error");
    if (told) told.hidden = true;
    button.disabled = true;
    try {
      const landed = await (button.dataset.passkey === "add" ? add(button) : signIn(button));
      location.assign(landed.next);
    } catch (error) {
      if (told) {
        told.textContent = error.name === "NotAllowedError" ? "No passkey was used. Try again, or sign in another way." : error.message;
        told.hidden = false;
      }
      button.disabled = false;
    }
  });
})();
