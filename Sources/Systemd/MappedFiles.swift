import CSystemd
import Glibc

/// The pages of the program's own files that are mapped into it: code and tables of the program and its libraries.
///
/// The start reads through most of them, and hardly one is needed afterwards. The kernel leaves them mapped until it
/// needs memory, and then has to find out which ones it can take. `release` gives them back; what is needed again is
/// mapped again out of the kernel's cache of files, or read from the disk if that is gone. Some kernels take away
/// whatever was not used for some seconds: `keep` sees to it that what is used now and then is read only once.
package enum MappedFiles {
    /// Bytes of files that are mapped and in memory now; nil if /proc does not tell.
    package static var resident: Int? {
        let descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = read(descriptor, &bytes, bytes.count)
        let fields = bytes.prefix(max(0, count)).split(separator: UInt8(ascii: " "))
        // size resident shared …, in pages; what is shared is of files.
        guard fields.count > 2, let pages = Int(String(decoding: fields[2], as: UTF8.self)) else { return nil }
        return pages * pageSize
    }

    /// Gives back the pages that cannot differ from their files, because they were never writable; also those of
    /// `keep`.
    ///
    /// The loader's lock is held meanwhile, so that no library comes or goes. What the kernel does not want to take
    /// back stays: that is no error.
    package static func release() {
        dl_iterate_phdr(
            { info, _, _ in
                MappedFiles.forEachSegment(of: info) { segment in
                    _ = munlock(segment.begin, segment.length)
                    if segment.isAsInFile { _ = madvise(segment.begin, segment.length, Int32(MADV_DONTNEED)) }
                }
                return 0
            }, nil)
    }

    /// Keeps the pages in memory that are there now or are used later, until `release`: mlock2(2) with `MLOCK_ONFAULT`.
    ///
    /// The limit of the kernel (`RLIMIT_MEMLOCK`) counts all that is mapped. Where it is too low, or the kernel is
    /// older than 4.4, pages may have to be read again: that is no error.
    package static func keep() {
        // Looked up out here: the loader has more than one lock.
        guard lock != nil else { return }
        dl_iterate_phdr(
            { info, _, _ in
                MappedFiles.forEachSegment(of: info) { segment in
                    _ = MappedFiles.lock?(segment.begin, segment.length, MappedFiles.onFault)
                }
                return 0
            }, nil)
    }

    private static let pageSize = sysconf(Int32(_SC_PAGESIZE))

    /// `MLOCK_ONFAULT`
    private static let onFault: UInt32 = 1

    private typealias LockFunction = @convention(c) (UnsafeRawPointer, Int, UInt32) -> Int32
    /// The C library declares it only for _GNU_SOURCE, which Swift's Glibc module does not set.
    private static let lock: LockFunction? = dlsym(nil, "mlock2").map { unsafeBitCast($0, to: LockFunction.self) }

    private struct Segment {
        var begin: UnsafeMutableRawPointer
        var length: Int
        /// Whether none of its pages can differ from the file.
        var isAsInFile: Bool
    }

    private static func forEachSegment(of info: UnsafePointer<dl_phdr_info>?, _ body: (Segment) -> Void) {
        // The program itself has no name here; what the kernel maps by itself (vdso) has no file.
        guard let object = info?.pointee, let name = object.dlpi_name,
            name.pointee == 0 || name.pointee == CChar(UInt8(ascii: "/"))
        else { return }
        let headers = UnsafeBufferPointer(start: object.dlpi_phdr, count: Int(object.dlpi_phnum))
        let isWritten = headers.contains { hasTextRelocations($0, base: UInt(object.dlpi_addr)) }
        for header in headers where header.p_type == UInt32(PT_LOAD) && header.p_filesz > 0 {
            let begin = (UInt(object.dlpi_addr) + UInt(header.p_vaddr)) / UInt(pageSize) * UInt(pageSize)
            let end = UInt(object.dlpi_addr) + UInt(header.p_vaddr) + UInt(header.p_filesz)
            guard let address = UnsafeMutableRawPointer(bitPattern: begin) else { continue }
            // Beyond the end of the file there would be zeros of our own.
            let isWhole = header.p_filesz == header.p_memsz
            body(
                Segment(
                    begin: address, length: Int(end - begin),
                    isAsInFile: isWhole && !isWritten && header.p_flags & UInt32(PF_W) == 0))
        }
    }

    /// Whether the loader had to write into what is otherwise only read: then the pages are not those of the file.
    private static func hasTextRelocations(_ header: Elf64_Phdr, base: UInt) -> Bool {
        guard header.p_type == UInt32(PT_DYNAMIC),
            let table = UnsafePointer<Elf64_Dyn>(bitPattern: base + UInt(header.p_vaddr))
        else { return false }
        let entries = UnsafeBufferPointer(start: table, count: Int(header.p_memsz) / MemoryLayout<Elf64_Dyn>.stride)
        return entries.prefix { $0.d_tag != DT_NULL }.contains {
            $0.d_tag == DT_TEXTREL || $0.d_tag == DT_FLAGS && $0.d_un.d_val & UInt64(DF_TEXTREL) != 0
        }
    }
}
