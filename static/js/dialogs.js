// A link with data-dialog="<id>" opens that dialog in place of the page that asks the same.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  if (!opener || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const dialog = document.getElementById(opener.dataset.dialog);
  if (!(dialog instanceof HTMLDialogElement)) return;
  event.preventDefault();
  dialog.showModal();
});

// A button with data-dialog-close closes the dialog around it.
document.addEventListener("click", (event) => {
  event.target.closest("[data-dialog-close]")?.closest("dialog")?.close();
});
