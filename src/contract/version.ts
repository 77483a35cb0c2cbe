/**
 * Version of the RPC wire. Rule: a change that an older peer would misread raises it; an added field or operation does not.
 * 1  first wire: request, result, error, items, bytes, end, cancel, credit, keepalive, event
 */
export const wireVersion = 1;
