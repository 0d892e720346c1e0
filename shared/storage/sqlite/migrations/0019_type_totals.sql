-- What each job type costs (shared/storage/type_totals.py): 'waited' and 'ran' in ms, 'cpu' in us, by
-- bucket; 'memory' in bytes. `most` is the largest value in the bucket. Type '': all that are not described.
CREATE TABLE type_totals (
    type TEXT NOT NULL,
    measure TEXT NOT NULL
        CHECK (measure = 'waited' OR measure = 'ran' OR measure = 'cpu' OR measure = 'memory'),
    outcome TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    n INTEGER NOT NULL,
    total INTEGER NOT NULL,
    most INTEGER NOT NULL,
    PRIMARY KEY (type, measure, outcome, bucket)
) STRICT, WITHOUT ROWID;
