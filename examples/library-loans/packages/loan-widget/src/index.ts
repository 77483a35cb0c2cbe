/** A loan as the website's API gives it; days are ISO dates without a time. */
export interface Loan {
  book: string;
  dueDate: string;
  returnedOn: string | null;
}

export { daysLeft, dueLabel, isLate } from './due-date.ts';
