import Mailing
import Testing

@testable import Spool

struct DropNameTests {
    @Test func `json is one file and job a bundle`() {
        #expect(DropName("news.json").form == .single)
        #expect(DropName("news.job").form == .bundle)
        #expect(DropName("news.json").error == nil)
        #expect(DropName("news.job").error == nil)
        #expect(DropName("news.json").receiptName == "news")
        #expect(DropName("news.job").receiptName == "news")
    }

    @Test(arguments: ["news.txt", "news", "news.JSON", "news.json~"])
    func `another suffix is an error that names the right ones`(name: String) {
        let error = DropName(DirectoryEntryName(name)).error
        #expect(error?.file == name)
        #expect(error?.message.contains(".json (one file) or .job (a directory)") == true)
        #expect(ReceiptName(DropName(DirectoryEntryName(name)).receiptName) != nil)
    }

    @Test(arguments: [
        ("-a.json", "%2Da"), ("a b.json", "a%20b"), ("é.json", "%C3%A9"), ("a%b.job", "a%25b"), ("_x.job", "%5Fx"),
    ])
    func `a bad name is answered under one that is fit for a directory`(name: String, receipt: String) {
        let drop = DropName(DirectoryEntryName(name))
        #expect(drop.error?.message.contains("1 to 128 letters") == true)
        #expect(drop.receiptName == receipt)
        #expect(ReceiptName(receipt)?.text == receipt)
    }

    @Test func `a name of 128 characters is good and one of 129 is not`() {
        #expect(DropName(DirectoryEntryName(String(repeating: "a", count: 128) + ".json")).error == nil)
        let long = DropName(DirectoryEntryName(String(repeating: "a", count: 129) + ".json"))
        #expect(long.error != nil)
        #expect(ReceiptName(long.receiptName) != nil)
    }

    @Test func `the longest names of 255 bytes that differ only at their end have receipts of their own`() {
        func name(_ end: UInt8) -> DropName {
            DropName(DirectoryEntryName(bytes: [UInt8](repeating: 0xFF, count: 249) + [end] + Array(".json".utf8)))
        }
        #expect(name(1).receiptName != name(2).receiptName)
        #expect(ReceiptName(name(1).receiptName) != nil)
    }
}
