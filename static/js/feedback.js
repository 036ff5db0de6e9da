// An htmx request that fails says so: the page itself stays as it was.
{
  // data-swaps="409 429": these answers carry a fragment too, which says what to do.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, requestConfig } = event.detail;
    const swaps = requestConfig?.elt?.closest("[data-swaps]")?.dataset.swaps.split(" ") ?? [];
    if (!swaps.includes(String(xhr.status))) return;
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  });

  const say = (text) => {
    const region = document.getElementById("toasts");
    const pattern = document.getElementById("failure-toast");
    if (!region || !pattern) return;
    for (const old of region.querySelectorAll("[data-failure]")) old.remove();
    const toast = pattern.content.firstElementChild.cloneNode(true);
    toast.dataset.failure = "";
    toast.querySelector("p").textContent = text;
    region.append(toast);
  };

  const words = (status) => {
    if (status === 403) return "You may not do this. If your session ended, reload the page and sign in again.";
    if (status === 404) return "This is not there any more. Reload the page.";
    if (status === 409) return "Somebody changed this meanwhile. Reload the page and try again.";
    if (status === 429) return "Too many requests. Wait a moment and try again.";
    return "The server could not answer. Try again in a moment.";
  };
  // What a person can quote to support where only the operator can help.
  const reference = (xhr) => {
    const id = xhr.status >= 500 ? xhr.getResponseHeader("X-Request-ID") : null;
    return id ? ` Reference ${id}.` : "";
  };

  // An address stands in the logs of every server on the way: a key that was pasted into a search is not asked for.
  document.addEventListener("htmx:configRequest", (event) => {
    const { verb, formData } = event.detail;
    if (verb !== "get" || ![...formData.values()].some((value) => /\bsk-[\w-]{3}/.test(value))) return;
    event.preventDefault();
    say("This looks like a key. It was not sent: a key belongs in the key field only.");
  });

  document.addEventListener("htmx:responseError", (event) => say(words(event.detail.xhr.status) + reference(event.detail.xhr)));
  document.addEventListener("htmx:sendError", () => say("No connection to the server. Check your network and try again."));
  document.addEventListener("htmx:timeout", () => say("The server took too long. Try again."));

  // A form that comes back with errors takes the reader to them.
  const toErrors = (root) => {
    const target = root.querySelector("[data-error-summary]") ?? root.querySelector('[aria-invalid="true"]');
    target?.focus({ preventScroll: false });
  };
  document.addEventListener("htmx:afterSwap", (event) => toErrors(event.detail.target));
  toErrors(document);
}
