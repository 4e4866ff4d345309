// Series of `/metrics`, kept for some minutes: rates, gauges and quantiles over time.

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const ESCAPED = { n: "\n", '"': '"', "\\": "\\" };

/** Reads the text form of Prometheus. */
export function parse(text) {
  const series = [];
  for (const line of text.split("\n")) {
    const [, name, inside = "", value] = LINE.exec(line) ?? [];
    if (!name) continue;
    const labels = {};
    for (const [, label, raw] of inside.matchAll(LABEL)) {
      labels[label] = raw.replace(/\\(.)/g, (_, mark) => ESCAPED[mark] ?? mark);
    }
    series.push({ key: `${name}{${inside}}`, name, labels, value: Number(value) });
  }
  return series;
}

/** The last looks at a process, the newest one last. */
export class History {
  #looks = [];
  #most;

  constructor(most) {
    this.#most = most;
  }

  /** Adds what was read at `at` (milliseconds). */
  add(at, series) {
    const before = this.#looks.at(-1);
    const values = new Map(series.map((one) => [one.key, one.value]));
    this.#looks.push({ at, series, values, before });
    if (this.#looks.length > this.#most) {
      this.#looks.shift();
      this.#looks[0].before = undefined;
    }
  }

  /** Series of the newest look by these names. */
  newest(...names) {
    return this.#looks.at(-1)?.series.filter((one) => names.includes(one.name)) ?? [];
  }

  /** What has grown between the last two looks: `{ name, labels, grown }` of counters. */
  growth(isCounter) {
    const look = this.#looks.at(-1);
    if (!look?.before) return [];
    return look.series
      .filter(isCounter)
      .map((one) => ({ ...one, grown: grown(look, one) }))
      .filter((one) => one.grown > 0);
  }

  /** The sum of a gauge at each look. */
  gauge(matches) {
    return this.#looks.map((look) => sum(look.series.filter(matches), (one) => one.value));
  }

  /** How fast the sum of counters grew before each look but the first, a second. */
  rate(matches) {
    return this.#between((look, seconds) => sum(look.series.filter(matches), (one) => grown(look, one)) / seconds);
  }

  /** A quantile of what a histogram took between two looks; `null` where that was nothing. */
  quantile(name, part, matches = () => true) {
    return this.#between((look) => {
      const buckets = new Map();
      for (const one of look.series) {
        if (one.name !== `${name}_bucket` || !matches(one)) continue;
        const bound = one.labels.le === "+Inf" ? Infinity : Number(one.labels.le);
        buckets.set(bound, (buckets.get(bound) ?? 0) + grown(look, one));
      }
      return within([...buckets].sort(([a], [b]) => a - b), part);
    });
  }

  #between(value) {
    return this.#looks.filter((look) => look.before).map((look) => value(look, (look.at - look.before.at) / 1000));
  }
}

/** By how much a counter grew; one that is smaller has begun anew, and one that is new began at 0. */
function grown(look, one) {
  const before = look.before.values.get(one.key) ?? 0;
  return one.value < before ? one.value : one.value - before;
}

/** The quantile within cumulative buckets, on a line between their bounds. */
function within(buckets, part) {
  const total = buckets.at(-1)?.[1] ?? 0;
  if (total === 0) return null;
  const wanted = part * total;
  let [low, below] = [0, 0];
  for (const [bound, count] of buckets) {
    if (count >= wanted) {
      return bound === Infinity ? low : low + ((bound - low) * (wanted - below)) / (count - below || 1);
    }
    [low, below] = [bound, count];
  }
  return low;
}

function sum(list, value) {
  return list.reduce((total, one) => total + value(one), 0);
}
