/** What a route table needs: a method and a path with `{name}` for one segment. */
export interface RouteShape {
  readonly method: string;
  readonly template: string;
}

export interface Matched<R extends RouteShape> {
  /** `unknown` for a path that the simulated system does not have. */
  readonly template: string;
  /** Null for a known path with another method. */
  readonly route: R | null;
  readonly params: Readonly<Record<string, string>>;
  /** The methods of the path; empty when it is unknown. */
  readonly methods: readonly string[];
}

/** Finds the route of a path, still percent-encoded. The first route that matches wins. */
export function matchRoute<R extends RouteShape>(routes: readonly R[], method: string, path: string): Matched<R> {
  const hits = routes.flatMap((route) => {
    const params = paramsOf(route.template, path);
    return params === null ? [] : [{ route, params }];
  });
  const hit = hits.find(({ route }) => route.method === method);
  return {
    template: (hit ?? hits[0])?.route.template ?? 'unknown',
    route: hit?.route ?? null,
    params: hit?.params ?? {},
    methods: hits.map(({ route }) => route.method),
  };
}

function paramsOf(template: string, path: string): Record<string, string> | null {
  const wanted = template.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const segment = decoded(given[index] ?? '');
    if (segment === null) return null;
    if (part.startsWith('{') && segment !== '') params[part.slice(1, -1)] = segment;
    else if (part !== segment) return null;
  }
  return params;
}

function decoded(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}
