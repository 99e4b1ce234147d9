/** Times as many values as a dictionary was tried on and did not pay for that go without one. */
const REST = 7;

/**
 * When the chunks of one column try a dictionary, those of other files of the table included: of small files, which many
 * partitions or commits make, trying again in each would be a good part of the work.
 */
export class DictionaryHabit {
  /** Values still to go without. Of values, not chunks: what a few rows showed is forgotten with the first large file. */
  #rest = 0;

  get tries(): boolean {
    return this.#rest <= 0;
  }

  /** A chunk of `values` is finished; `paid` says nothing where it tried none. */
  finished(values: number, tried: boolean, paid: boolean): void {
    if (!tried) this.#rest -= values;
    else if (!paid) this.#rest = REST * values;
  }
}

/** Habits of a table's columns by field id. */
export class DictionaryHabits {
  readonly #columns = new Map<number, DictionaryHabit>();

  of(fieldId: number): DictionaryHabit {
    let habit = this.#columns.get(fieldId);
    if (!habit) this.#columns.set(fieldId, (habit = new DictionaryHabit()));
    return habit;
  }
}
