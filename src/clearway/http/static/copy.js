// Copies a text that is shown once: the button's `data-copy` names the element that has it. Works without: it can be selected.
"use strict";
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  const from = button && document.getElementById(button.dataset.copy);
  if (!from) return;
  const said = document.getElementById("announce");
  try {
    await navigator.clipboard.writeText(from.textContent.trim());
    button.textContent = "Copied";
    if (said) said.textContent = "Copied";
  } catch {
    // No clipboard here (plain http, or it is not allowed): the text is selected for the keyboard's own copy.
    getSelection()?.selectAllChildren(from);
    button.textContent = "Selected: press Ctrl C";
  }
});
