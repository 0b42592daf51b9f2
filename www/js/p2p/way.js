/**
 * Which way a connection really goes, read from the pair of candidates that is in use.
 *
 * @typedef {import('./types.js').Way} Way
 */

/**
 * @param {{getStats: () => Promise<{forEach: (each: (report: any) => void) => void}>}} pc
 * @returns {Promise<Way>}
 */
export async function wayOf(pc) {
  /** @type {Map<string, any>} */
  const reports = new Map();
  (await pc.getStats()).forEach((report) => reports.set(report.id, report));
  const all = [...reports.values()];
  const transport = all.find((report) => report.type === 'transport' && report.selectedCandidatePairId);
  const pairs = all.filter((report) => report.type === 'candidate-pair');
  // Firefox marks the pair itself.
  const pair = reports.get(transport?.selectedCandidatePairId)
    ?? pairs.find((report) => report.selected) ?? pairs.find((report) => report.nominated && report.state === 'succeeded');
  if (!pair) throw new Error('no pair of candidates is in use');
  const ends = [pair.localCandidateId, pair.remoteCandidateId].map((id) => reports.get(id)?.candidateType);
  return ends.includes('relay') ? 'relayed' : 'direct';
}
