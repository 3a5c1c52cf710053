extension LedgerSchema {
    /// A campaign knows who is to be told of its end. Those of before tell nobody.
    static let reports = """
        ALTER TABLE campaigns ADD COLUMN report_to TEXT CHECK (length(report_to) > 0);
        CREATE TRIGGER reports_stay_with_their_addressee BEFORE UPDATE OF report_to ON campaigns
        WHEN NEW.report_to IS NOT OLD.report_to
        BEGIN SELECT RAISE(ABORT, 'a campaign keeps the address of its report'); END;
        """
}
