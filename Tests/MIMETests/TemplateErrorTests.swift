import Testing

@testable import MIME

@Suite struct `Errors of composing` {
    @Test func `name every field and what is wrong with it`() {
        let error = ComposeError.fields([
            FieldProblem(name: "city", kind: .missing), FieldProblem(name: "name", kind: .empty),
        ])
        #expect(
            error.description
                == "The message needs fields that this recipient does not have: city (missing), name (empty).")
        #expect(ComposeError.subject("Zin.").description == "Zin.")
    }
}
