// [data-copy] copies the text box beside it and says so in its own words.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const box = button.parentElement.querySelector("input, textarea");
  const word = button.querySelector("[data-copy-word]");
  box.select();
  try {
    await navigator.clipboard.writeText(box.value);
    word.textContent = "Copied";
  } catch {
    // Refused, or no secure context: the text is selected already.
    word.textContent = "Press Ctrl+C";
  }
  setTimeout(() => { word.textContent = "Copy"; }, 2000);
});
