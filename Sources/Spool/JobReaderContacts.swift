import Mailing

extension JobReader {
    static func contacts(_ object: JobObject) -> ContactsImport? {
        let id = envelope(object)
        let lists = object.required("lists", "the files with the contacts") { node in
            node.elements(1...100)?.compactMap(contactsList)
        }
        let evidence = object.optional("consent", evidence)
        guard let id, let lists else { return nil }
        return ContactsImport(id: id, lists: lists, consent: evidence)
    }

    private static func contactsList(_ node: JobNode) -> ContactsImport.List? {
        guard let object = node.object("a list of contacts", knowing: ["list", "preset", "group"]) else { return nil }
        let file = listFile(object)
        let group = object.optional("group") { $0.groupName() }
        return file.map { ContactsImport.List(file: $0, group: group) }
    }

    private static func evidence(_ node: JobNode) -> ContactsImport.Evidence? {
        let keys = ["purpose", "column", "accepted", "refused", "source", "text", "at"]
        guard let object = node.object("the evidence of consent", knowing: keys) else { return nil }
        let purpose = object.required("purpose", "what people agreed to receive") { $0.groupName() }
        let column = object.required("column", "the column that holds their answer") { $0.line(1...200) }
        let accepted = object.required("accepted", "the values that mean yes") { node in
            node.distinct(1...100) { $0.line(1...200) }
        }
        let refused = object.optional("refused") { node in
            node.distinct(0...100) { element -> String? in
                let value = element.line(1...200)
                if let value, accepted?.contains(value) == true {
                    element.fail("Remove this from “accepted” or “refused”; it cannot mean both yes and no.")
                }
                return value
            }
        }
        let source = object.required("source", "where the answers were given") { $0.line(1...500) }
        let text = object.required("text", "the words that people agreed to") { $0.prose(1...10_000) }
        let at = object.required("at", "when the answers were given") { $0.timestamp() }
        guard let purpose, let column, let accepted, let source, let text, let at else { return nil }
        return ContactsImport.Evidence(
            purpose: purpose, column: column, accepted: accepted, refused: refused ?? [], source: source, text: text,
            at: at)
    }
}
