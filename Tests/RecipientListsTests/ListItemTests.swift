import RecipientLists
import Testing

struct ListItemTests {
    @Test func `an error of a list says its line if it has one`() {
        #expect(ListError(line: 3, message: "no").description == "line 3: no")
        #expect(ListError(message: "no").description == "no")
    }
}
