import type { LanguageInfo } from '../../contract/code.ts';
import { ask, type Asking } from './ask.ts';
import { BadRequest } from './answers.ts';

/** The table of languages does not change while the sidecar runs: it is asked for once. */
export class KnownLanguages {
  #languages: readonly LanguageInfo[] | undefined;

  /** The language of that name, in any case. Throws BadRequest (400), which lists those that there are, also for one that is switched off. */
  async named(asking: Asking, name: string): Promise<LanguageInfo> {
    this.#languages ??= (await ask(asking, 'code.languages', {})).languages;
    const languages = this.#languages;
    const wanted = name.trim().toLowerCase();
    const language = languages.find(({ code, aliases }) => code === wanted || aliases.includes(wanted));
    if (language !== undefined && language.rollout !== 'off') return language;
    const known = languages.filter(({ rollout }) => rollout !== 'off').map(({ code }) => code);
    const shown = name.slice(0, 100);
    const why = language === undefined ? 'is not supported' : 'is switched off here';
    const message = `Language '${shown}' ${why}; there are ${known.join(', ')}`;
    throw new BadRequest(400, `Unsupported programming language: ${shown}`, [{ field: 'lang', message, code: 'unsupported_language' }]);
  }
}
