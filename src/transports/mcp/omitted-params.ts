/** The message without `null` for its params, or for one of them: programs write that for what they leave out. A batch is taken message by message. */
export function omitNullParams(message: unknown): unknown {
  if (Array.isArray(message)) return message.map(omitNullParams);
  if (typeof message !== 'object' || message === null || !('params' in message)) return message;
  const { params, ...rest } = message;
  if (params === null) return rest;
  if (typeof params !== 'object' || Array.isArray(params)) return message;
  return { ...rest, params: Object.fromEntries(Object.entries(params as object).filter(([, value]) => value !== null)) };
}
