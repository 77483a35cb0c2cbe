import * as z from 'zod';
import type { Caller } from '../../src/contract/access.ts';
import { type Dispatch, type DispatchFacts } from '../../src/contract/dispatch.ts';
/** One operation of every kind, for what carries operations and knows none. */
export declare const fakeTable: {
    'echo.unary': import("../../src/contract/operation.ts").Operation<z.ZodObject<{
        text: z.ZodDefault<z.ZodString>;
        count: z.ZodOptional<z.ZodInt>;
        flag: z.ZodOptional<z.ZodBoolean>;
        names: z.ZodOptional<z.ZodArray<z.ZodString>>;
        mode: z.ZodOptional<z.ZodUnion<[z.ZodBoolean, z.ZodLiteral<"enter">]>>;
    }, z.core.$strip>, z.ZodObject<{
        text: z.ZodString;
        count: z.ZodOptional<z.ZodInt>;
        flag: z.ZodOptional<z.ZodBoolean>;
        names: z.ZodOptional<z.ZodArray<z.ZodString>>;
        mode: z.ZodUnknown;
        who: z.ZodString;
    }, z.core.$strip>, undefined, undefined>;
    'echo.write': import("../../src/contract/operation.ts").Operation<z.ZodObject<{
        path: z.ZodString;
    }, z.core.$strip>, z.ZodObject<{
        path: z.ZodString;
    }, z.core.$strip>, undefined, undefined>;
    'fail.known': import("../../src/contract/operation.ts").Operation<z.ZodObject<{
        after: z.ZodDefault<z.ZodInt>;
    }, z.core.$strip>, z.ZodObject<{}, z.core.$strip>, z.ZodObject<{
        n: z.ZodInt;
    }, z.core.$strip>, undefined>;
    'fail.unknown': import("../../src/contract/operation.ts").Operation<z.ZodObject<{}, z.core.$strip>, z.ZodObject<{}, z.core.$strip>, undefined, undefined>;
    'items.count': import("../../src/contract/operation.ts").Operation<z.ZodObject<{
        to: z.ZodInt;
        padding: z.ZodDefault<z.ZodInt>;
        cursor: z.ZodDefault<z.ZodString>;
    }, z.core.$strip>, z.ZodObject<{
        total: z.ZodInt;
    }, z.core.$strip>, z.ZodObject<{
        n: z.ZodInt;
        cursor: z.ZodString;
        padding: z.ZodOptional<z.ZodString>;
    }, z.core.$strip>, undefined>;
    'items.endless': import("../../src/contract/operation.ts").Operation<z.ZodObject<{
        padding: z.ZodDefault<z.ZodInt>;
        cursor: z.ZodDefault<z.ZodString>;
        quiet: z.ZodDefault<z.ZodBoolean>;
    }, z.core.$strip>, z.ZodObject<{}, z.core.$strip>, z.ZodObject<{
        n: z.ZodInt;
        cursor: z.ZodString;
        padding: z.ZodOptional<z.ZodString>;
    }, z.core.$strip>, undefined>;
    'bytes.in': import("../../src/contract/operation.ts").Operation<z.ZodObject<{
        path: z.ZodString;
        tag: z.ZodOptional<z.ZodString>;
        refuse: z.ZodDefault<z.ZodBoolean>;
    }, z.core.$strip>, z.ZodObject<{
        path: z.ZodString;
        tag: z.ZodOptional<z.ZodString>;
        length: z.ZodInt;
        hash: z.ZodString;
        created: z.ZodBoolean;
    }, z.core.$strip>, undefined, undefined>;
    'bytes.out': import("../../src/contract/operation.ts").Operation<z.ZodObject<{
        path: z.ZodString;
        length: z.ZodDefault<z.ZodInt>;
        breakAt: z.ZodOptional<z.ZodInt>;
        unchanged: z.ZodDefault<z.ZodBoolean>;
    }, z.core.$strip>, z.ZodObject<{
        path: z.ZodString;
        length: z.ZodInt;
        mimeType: z.ZodString;
        unchanged: z.ZodBoolean;
    }, z.core.$strip>, undefined, true>;
    'slow.wait': import("../../src/contract/operation.ts").Operation<z.ZodObject<{
        mark: z.ZodDefault<z.ZodString>;
    }, z.core.$strip>, z.ZodObject<{}, z.core.$strip>, undefined, undefined>;
    'big.output': import("../../src/contract/operation.ts").Operation<z.ZodObject<{
        length: z.ZodInt;
    }, z.core.$strip>, z.ZodObject<{
        text: z.ZodString;
    }, z.core.$strip>, undefined, undefined>;
};
export type FakeTable = typeof fakeTable;
/** What the implementations saw, for tests to look at. */
export interface Seen {
    /** Marks of calls that were aborted, with the reason of their signal. */
    aborted: {
        mark: string;
        reason: string;
    }[];
    /** Calls of `slow.wait`, `items.endless` and `bytes.out` that run now. */
    running: number;
    /** Items that `items.endless` and `items.count` made, bytes that `bytes.out` made and `bytes.in` took. */
    items: number;
    bytesOut: number;
    bytesIn: number;
    log: DispatchFacts[];
}
export interface Fakes {
    dispatch: Dispatch;
    seen: Seen;
}
export declare const fakeCaller: Caller;
/** Bytes that count up from 0 and wrap at 251, a prime, so that a lost or doubled chunk shows. */
export declare function countingBytes(length: number, from?: number): Uint8Array;
export declare function sha256(bytes: Uint8Array): string;
export declare function createFakes(options?: {
    maxOutputBytes?: number;
    maxCallsPerCaller?: number;
}): Fakes;
