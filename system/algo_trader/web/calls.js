// Calls of the service's API, with the token that proves that this page made them.

const token = () => document.querySelector('meta[name="csrf-token"]').content;

/** An answer that is no success: title, detail and next_step as the service gave them. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `The service answered ${status}.`);
    this.name = "Refused";
    this.status = status;
    this.nextStep = problem.next_step ?? null;
  }

  /** The whole sentence for a person. */
  get sentence() {
    if (this.nextStep === null) return this.message;
    return `${this.message}${/[.!?:]$/.test(this.message) ? "" : "."} ${this.nextStep}`;
  }
}

async function answered(request) {
  let response;
  try {
    response = await request;
  } catch {
    throw new Refused(0, { detail: "The service does not answer." });
  }
  const body = await response.json().catch(() => ({}));
  if (response.status === 401) document.dispatchEvent(new Event("sessionover"));
  if (!response.ok) throw new Refused(response.status, body ?? {});
  return body;
}

/** Get a document. */
export const get = (path) =>
  answered(fetch(path, { headers: { Accept: "application/json" }, credentials: "same-origin", cache: "no-store" }));

/** Post a document; this changes something. */
export const post = (path, body = {}) =>
  answered(
    fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRF-Token": token() },
      credentials: "same-origin",
      body: JSON.stringify(body),
    }),
  );
