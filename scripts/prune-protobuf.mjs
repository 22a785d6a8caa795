// Of Temporal's protobuf definitions, what a client that calls these methods can meet. All of them together are a third of what
// a command spends: each becomes an object, with its fields, before the first call.

/**
 * What these methods take and give, with all that is inside; what the client decodes by name; and every service, with these methods.
 * @param {object} definitions what `addJSON` takes: names with `nested`, `fields`, `values` or `methods`
 * @param {{ methods: ReadonlySet<string>, whole: readonly string[] }} wanted methods in lower camel case; namespaces that stay whole
 */
export function pruneProtobuf(definitions, { methods, whole }) {
  const root = { nested: definitions };
  const find = (path) =>
    path === '' ? root : path.split('.').reduce((at, name) => at?.nested?.[name], root);
  const isType = (one) => one?.fields !== undefined;
  const kept = new Set();

  /** A name as protobuf looks it up: from the inside out. */
  const resolve = (name, scope) => {
    if (name.startsWith('.')) return name.slice(1);
    for (let at = scope; at !== undefined; at = outer(at)) {
      const path = at === '' ? name : `${at}.${name}`;
      if (find(path) !== undefined) return path;
    }
    return undefined;
  };
  const outer = (path) =>
    path === '' ? undefined : path.includes('.') ? path.slice(0, path.lastIndexOf('.')) : '';

  const keep = (path) => {
    if (path === undefined || kept.has(path)) return;
    kept.add(path);
    const one = find(path);
    for (const field of Object.values(one?.fields ?? {})) keep(resolve(field.type, path));
  };
  const keepAll = (path) => {
    if (isType(find(path))) keep(path);
    for (const name of Object.keys(find(path)?.nested ?? {})) keepAll(`${path}.${name}`);
  };

  const called = (service, path) => {
    const wanted = Object.entries(service.methods).filter(([name]) =>
      methods.has(name.charAt(0).toLowerCase() + name.slice(1)),
    );
    for (const [, { requestType, responseType }] of wanted) {
      keep(resolve(requestType, path));
      keep(resolve(responseType, path));
    }
    return Object.fromEntries(
      // How a method is called over HTTP is of no use here.
      wanted.map(([name, method]) => [
        name,
        { ...method, options: undefined, parsedOptions: undefined },
      ]),
    );
  };
  const services = new Map();
  const findServices = (one, path) => {
    if (one.methods !== undefined) services.set(path, called(one, path));
    for (const [name, inner] of Object.entries(one.nested ?? {})) {
      findServices(inner, path === '' ? name : `${path}.${name}`);
    }
  };
  findServices(root, '');
  for (const path of whole) keepAll(path);

  const copy = (one, path, isInDropped = false) => {
    const isDropped = isType(one) && !kept.has(path);
    const nested = Object.entries(one.nested ?? {}).flatMap(([name, inner]) => {
      const found = copy(inner, path === '' ? name : `${path}.${name}`, isDropped);
      return found === undefined ? [] : [[name, found]];
    });
    const inside = nested.length === 0 ? {} : { nested: Object.fromEntries(nested) };
    if (one.methods !== undefined) return { ...one, methods: services.get(path), ...inside };
    // The names of numbers are few: they stay, but for those of a message that goes.
    if (one.values !== undefined) return isInDropped && !kept.has(path) ? undefined : one;
    // A message that is not needed itself is only the name of what is kept inside it.
    if (!isType(one) || isDropped) return nested.length === 0 ? undefined : inside;
    return { ...one, nested: undefined, ...inside };
  };
  return copy(root, '').nested;
}
