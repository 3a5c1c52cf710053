extension LedgerSchema {
    /// A job knows who dropped it. Those of before have no submitter.
    static let submitters = """
        ALTER TABLE jobs ADD COLUMN submitter INTEGER;
        ALTER TABLE jobs ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0 CHECK (bytes >= 0);
        CREATE TRIGGER jobs_stay_with_their_submitter BEFORE UPDATE OF submitter, bytes ON jobs
        WHEN NEW.submitter IS NOT OLD.submitter OR NEW.bytes <> OLD.bytes
        BEGIN SELECT RAISE(ABORT, 'a job stays with its submitter'); END;
        """
}
