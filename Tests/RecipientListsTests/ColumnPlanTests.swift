import RecipientLists
import Testing

struct ColumnPlanTests {
    private func error(_ text: String) -> ListError? {
        do {
            _ = try ListContents(text)
            return nil
        } catch {
            return error as? ListError
        }
    }

    @Test func `our own names are known in any case of letters, and every other column is an attribute`() throws {
        let contents = try ListContents("NUMBER; Email ;Name;Language;Plaats\n7; a@example.org ; B C ;nl;Gieten\n")
        #expect(contents.columns == ["NUMBER", "Email", "Name", "Language", "Plaats"])
        #expect(
            contents.rows == [
                RecipientRow(
                    line: 2, email: "a@example.org", name: "B C", language: "nl", number: "7",
                    attributes: ["Plaats": "Gieten"])
            ])
    }

    @Test func `two columns of one name are an error of the list`() {
        #expect(
            error("\nemail;Plaats;a;plaats \nx@example.org;1;2;3\n")
                == ListError(line: 2, message: "columns 2 and 4 are both called plaats; rename one of them"))
    }

    @Test func `a list without a column for the address is an error that says what it has`() {
        #expect(
            error("Naam;;Plaats\n")
                == ListError(
                    line: 1,
                    message: "the header needs a column email for the e-mail address; it has Naam, (no name), Plaats"))
    }

    @Test func `a name of a column may have 200 characters`() throws {
        let name = String(repeating: "x", count: 200)
        #expect(try ListContents("email;\(name)\n").columns.count == 2)
        #expect(error("email;\(name)x\n")?.line == 1)
    }
}
