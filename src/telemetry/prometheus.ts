/** A registry for Prometheus' text format 0.0.4, as small as the HTTP server needs it. */

export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  /** With 0, the series appears before its first event, so that a rate over it is right from the start. */
  add(labels: Labels, value?: number): void;
}
export interface Gauge {
  set(labels: Labels, value: number): void;
}
export interface Histogram {
  observe(value: number): void;
}
export interface Registry {
  counter(name: string, help: string): Counter;
  gauge(name: string, help: string): Gauge;
  /** `bounds` ascending; the bucket for everything comes by itself. */
  histogram(name: string, help: string, bounds: readonly number[]): Histogram;
  text(): string;
}

export function createRegistry(): Registry {
  const metrics: (() => readonly string[])[] = [];

  function valued(kind: 'counter' | 'gauge', name: string, help: string): Map<string, number> {
    const values = new Map<string, number>();
    metrics.push(() => [...head(name, kind, help), ...[...values].map(([key, value]) => `${name}${key} ${value}`)]);
    return values;
  }

  function counter(name: string, help: string): Counter {
    const values = valued('counter', name, help);
    return {
      add: (labels, value = 1) => {
        const key = labelText(labels);
        values.set(key, (values.get(key) ?? 0) + value);
      },
    };
  }

  function gauge(name: string, help: string): Gauge {
    const values = valued('gauge', name, help);
    return { set: (labels, value) => void values.set(labelText(labels), value) };
  }

  function histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    const buckets = bounds.map((bound) => ({ bound, count: 0 }));
    let count = 0;
    let sum = 0;
    metrics.push(() => [
      ...head(name, 'histogram', help),
      ...buckets.map((bucket) => `${name}_bucket{le="${bucket.bound}"} ${bucket.count}`),
      `${name}_bucket{le="+Inf"} ${count}`,
      `${name}_sum ${sum}`,
      `${name}_count ${count}`,
    ]);
    return {
      observe: (value) => {
        for (const bucket of buckets) if (value <= bucket.bound) bucket.count += 1;
        count += 1;
        sum += value;
      },
    };
  }

  return { counter, gauge, histogram, text: () => `${metrics.flatMap((lines) => lines()).join('\n')}\n` };
}

function head(name: string, kind: string, help: string): readonly string[] {
  return [`# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`, `# TYPE ${name} ${kind}`];
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

const escaped = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
