import * as z from 'zod';

/** A list or record, counted before it is read: to say of each of millions that it does not fit takes seconds, and gigabytes of memory. */
export function counted<T extends z.ZodType>(most: number, of: string, schema: T): z.ZodPreprocess<T, z.input<T>> {
  return z.preprocess((given: z.input<T>, context) => {
    if (typeof given === 'object' && given !== null && countOf(given) > most) context.addIssue(`At most ${most} ${of}.`);
    return given;
  }, schema);
}

function countOf(given: object): number {
  return Array.isArray(given) ? given.length : Object.keys(given).length;
}
