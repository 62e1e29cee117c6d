/** Addresses of one's own link and of cloud metadata services: whoever makes keyturn call them gets the credentials of the machine. */

const names = ['metadata', 'metadata.google.internal', 'instance-data', 'instance-data.ec2.internal'];
const otherMetadata = ['100.100.100.200', 'fd00:ec2:0:0:0:0:0:254'];

/**
 * Whether a host must never be called, by its name or address: 169.254.0.0/16, fe80::/10, the same within IPv6, metadata services.
 * @param host as `URL.hostname` has it, or as DNS answers
 */
export function isRefusedHost(host: string): boolean {
  const name = host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/%.*$/, '')
    .replace(/\.$/, '');
  if (names.includes(name) || otherMetadata.includes(name)) return true;
  if (!name.includes(':')) return isLinkLocal4(name);
  const groups = groupsOf(name);
  if (groups === undefined) return false;
  const [first = 0] = groups;
  if ((first & 0xffc0) === 0xfe80 || otherMetadata.includes(groups.map((group) => group.toString(16)).join(':')))
    return true;
  return embedded(groups).some(isLinkLocal4);
}

const isLinkLocal4 = (address: string): boolean => /^169\.254\.\d+\.\d+$/.test(address);

/** IPv4 addresses that stand in an IPv6 one: mapped, compatible, NAT64 (RFC 6052), 6to4. */
function embedded(groups: readonly number[]): readonly string[] {
  const at = (index: number): string => {
    const [high = 0, low = 0] = groups.slice(index, index + 2);
    return [high >> 8, high & 255, low >> 8, low & 255].join('.');
  };
  const starts = groups.slice(0, 5).every((group) => group === 0);
  const isMapped = starts && (groups[5] === 0xffff || groups[5] === 0);
  const isNat64 = groups[0] === 0x64 && groups[1] === 0xff9b;
  return [...(isMapped || isNat64 ? [at(6)] : []), ...(groups[0] === 0x2002 ? [at(1)] : [])];
}

/** The eight groups of an IPv6 address; `URL` knows how to read every way of writing it. */
function groupsOf(address: string): readonly number[] | undefined {
  const text = `http://[${address}]/`;
  if (!URL.canParse(text)) return undefined;
  const [head = '', tail] = new URL(text).hostname.slice(1, -1).split('::');
  const numbers = (part: string): readonly number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  if (tail === undefined) return numbers(head);
  const [before, after] = [numbers(head), numbers(tail)];
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
}
