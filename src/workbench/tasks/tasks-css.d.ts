/** Styles that the page's build takes in with the code that imports them. */
declare module '*/tasks.css';
