// Values in words: ages, numbers, times of the exchange. What is missing is an en dash.

export const DASH = "–";
const EXCHANGE_ZONE = "America/New_York";

const isMissing = (value) => value === null || value === undefined || Number.isNaN(value);

const numbers = new Map();

/** Return a number with thousands set apart and a fixed count of decimals. */
export function number(value, decimals = 0) {
  if (isMissing(value)) return DASH;
  if (!numbers.has(decimals)) {
    const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    numbers.set(decimals, new Intl.NumberFormat("en-US", digits));
  }
  return numbers.get(decimals).format(value);
}

/** Return a rate or a latency: three digits that count are enough. */
export function measured(value, unit) {
  if (isMissing(value)) return DASH;
  const size = Math.abs(value);
  return `${number(value, size >= 100 || value === 0 ? 0 : size >= 10 ? 1 : 2)} ${unit}`;
}

/** Return a share of one as percent; only what is complete is 100 %. */
export function percent(share) {
  if (isMissing(share)) return DASH;
  const shown = share < 1 ? Math.min(Math.floor(share * 10_000) / 100, 99.99) : 100 * share;
  return `${number(shown, share === 1 ? 0 : 2)} %`;
}

const SIZES = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "K"]];

/** Return dollars in short: $1.24 B. */
export function dollars(value) {
  if (isMissing(value)) return DASH;
  const [size, name] = SIZES.find(([least]) => Math.abs(value) >= least) ?? [1, ""];
  const sign = value < 0 ? "−" : "";
  return `${sign}$${number(Math.abs(value) / size, 2)}${name && ` ${name}`}`;
}

/** Return a span of time in its largest unit, with the next one where that matters. */
export function span(seconds) {
  if (isMissing(seconds)) return DASH;
  const whole = Math.max(0, seconds);
  if (whole < 1) return `${number(Math.floor(whole * 10) / 10, 1)} s`;
  if (whole < 60) return `${Math.floor(whole)} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h${minutes % 60 ? ` ${minutes % 60} min` : ""}`;
  return `${Math.floor(hours / 24)} d${hours % 24 ? ` ${hours % 24} h` : ""}`;
}

const formats = new Map();

function format(instant, zone, options) {
  const moment = new Date(instant ?? NaN);
  if (Number.isNaN(moment.getTime())) return DASH;
  const key = JSON.stringify([zone, options]);
  if (!formats.has(key)) {
    const settings = { ...options, timeZone: zone, hourCycle: "h23" };
    formats.set(key, new Intl.DateTimeFormat("en-GB", settings));
  }
  return formats.get(key).format(moment);
}

const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
const MINUTE = { hour: "2-digit", minute: "2-digit" };

/** Return an instant's time of day at the exchange. */
export const exchangeTime = (instant) => format(instant, EXCHANGE_ZONE, TIME);

/** Return an instant's hour and minute at the exchange. */
export const exchangeMinute = (instant) => format(instant, EXCHANGE_ZONE, MINUTE);

/** Return an instant's weekday and date at the exchange. */
export const exchangeDay = (instant) =>
  format(instant, EXCHANGE_ZONE, { weekday: "short", day: "numeric", month: "short", year: "numeric" });

/** Return an instant's day and month at the exchange. */
export const exchangeShortDay = (instant) =>
  format(instant, EXCHANGE_ZONE, { day: "numeric", month: "short" });

/** Return an instant's date at the exchange as YYYY-MM-DD. */
export function exchangeDate(instant) {
  const parts = format(instant, EXCHANGE_ZONE, { day: "2-digit", month: "2-digit", year: "numeric" });
  return parts === DASH ? DASH : parts.split("/").reverse().join("-");
}

/** Return an instant's time of day where the reader sits. */
export const localTime = (instant) => format(instant, undefined, TIME);

/** Return an instant's weekday, date and minute where the reader sits. */
export const localMoment = (instant) =>
  format(instant, undefined, { weekday: "short", day: "numeric", month: "short", ...MINUTE });

/** Return the first names of a list, and how many more there are. */
export function some(names, most = 3) {
  if (!names?.length) return DASH;
  const rest = names.length - most;
  return names.slice(0, most).join(", ") + (rest > 0 ? ` and ${number(rest)} more` : "");
}

/** Return a count with its noun: 1 gap, 2 gaps. */
export const counted = (count, noun, many = `${noun}s`) =>
  `${number(count)} ${count === 1 ? noun : many}`;
