// Package fuse speaks the kernel's FUSE protocol over a /dev/fuse descriptor:
// decode a request, hand it to an FS, write the reply.
//
// It is mechanism only. One thread reads, handles and replies, one request at a
// time, with two buffers that live as long as the connection; no request
// allocates. There is no policy about names, times or ownership here.
//
// Caching contract: every entry, attribute and negative entry is handed out
// with a timeout of practically forever, so whatever the kernel saw once it
// serves itself. OPEN, FLUSH, CREATE, ACCESS, FSYNC, LSEEK, COPY_FILE_RANGE and
// STATX are answered ENOSYS once; the kernel then stops asking (fs/fuse/file.c:
// no_open, no_flush; dir.c: no_create falls back to MKNOD). OPENDIR is
// answered, because without a handle a directory stream could not be a snapshot.
//
// GETXATTR is ENOSYS, too (xattr.c: no_getxattr), because the kernel would ask for
// security.capability at each chown and at the first write to each file, to remove
// it. HANDLE_KILLPRIV_V2 makes the server remove it anyway. Who reads attributes gets
// EOPNOTSUPP from the kernel, and has to be told elsewhere.
//
// What the kernel invalidates by itself (Linux fs/fuse/dir.c, file.c), so that
// the server does not have to: the directory after every create, unlink and
// rename (fuse_dir_changed); size, mtime, ctime and blocks after a write or
// fallocate (fuse_write_update_attr); nlink and ctime of an unlinked or replaced
// inode (fuse_entry_unlinked); ctime of a renamed inode and after setxattr
// (fuse_update_ctime). LINK, SETATTR and the creating calls carry the new
// attributes in the reply. Only changes made outside a request need
// Conn.InvalAttr.
package fuse
