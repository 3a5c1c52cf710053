import RecipientLists
import Testing

struct PresetDocumentTests {
    private func message(_ json: String) -> String? {
        do throws(PresetError) {
            _ = try Preset(name: "test", json: Array(json.utf8))
            return nil
        } catch {
            return error.message
        }
    }

    @Test func `a key without a meaning is refused wherever it stands`() {
        #expect(message(#"{"description": "d", "columns": {"email": ["e"]}, "colour": 1}"#) == "colour: unknown key")
        #expect(
            message(#"{"description": "d", "columns": {"email": ["e"], "naam": ["n"]}}"#) == "columns.naam: unknown key"
        )
        #expect(
            message(#"{"description": "d", "columns": {"email": ["e"], "name": {"joined": ["n"]}}}"#)
                == "columns.name.joined: unknown key")
    }

    @Test func `a preset cannot map consent`() {
        let expected = "a preset never maps consent; the job names the column and the evidence"
        #expect(
            message(#"{"description": "d", "columns": {"email": ["e"]}, "consent": {"column": "c"}}"#)
                == "consent: \(expected)")
        #expect(
            message(#"{"description": "d", "columns": {"email": ["e"], "consent": ["c"]}}"#)
                == "columns.consent: \(expected)")
    }

    @Test func `what is missing or of the wrong type is named`() {
        #expect(message(#"{"columns": {"email": ["e"]}}"#) == "description is missing")
        #expect(message(#"{"description": "d", "columns": {}}"#) == "columns.email is missing")
        #expect(
            message(#"{"description": "d", "columns": {"email": "e"}}"#)
                == "columns.email is of the wrong type; see the README of the presets")
        #expect(
            message(#"{"description": "d", "columns": {"email": ["e"], "name": {"join": [1]}}}"#)
                == "columns.name.join.[0] is of the wrong type; see the README of the presets")
        #expect(message("[]") == "the file is of the wrong type; see the README of the presets")
    }

    @Test(arguments: ["", "{", #"{"description" "d"}"#])
    func `what is not JSON is refused`(_ json: String) {
        #expect(message(json) == "the file is not valid JSON")
    }
}
