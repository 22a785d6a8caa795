package main

import (
	"context"
	"path"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// world is a disk, its faults, and the one lock above both.
type world struct {
	sync.Mutex
	disk   *disk
	faults *faults
}

// node is a name's inode, as FUSE sees it.
type node struct {
	fs.Inode
	world *world
	ino   uint64
}

var (
	_ = (fs.NodeLookuper)((*node)(nil))
	_ = (fs.NodeCreater)((*node)(nil))
	_ = (fs.NodeMkdirer)((*node)(nil))
	_ = (fs.NodeUnlinker)((*node)(nil))
	_ = (fs.NodeRmdirer)((*node)(nil))
	_ = (fs.NodeRenamer)((*node)(nil))
	_ = (fs.NodeLinker)((*node)(nil))
	_ = (fs.NodeOpener)((*node)(nil))
	_ = (fs.NodeReader)((*node)(nil))
	_ = (fs.NodeWriter)((*node)(nil))
	_ = (fs.NodeFsyncer)((*node)(nil))
	_ = (fs.NodeFlusher)((*node)(nil))
	_ = (fs.NodeGetattrer)((*node)(nil))
	_ = (fs.NodeSetattrer)((*node)(nil))
	_ = (fs.NodeReaddirer)((*node)(nil))
	_ = (fs.NodeStatfser)((*node)(nil))
)

func (n *node) where(name string) string { return path.Join(n.Path(nil), name) }

func (n *node) inode() *inode { return n.world.disk.inodes[n.ino] }

func (n *node) child(ctx context.Context, found *inode, out *fuse.EntryOut) *fs.Inode {
	fill(found, &out.Attr)
	kind := uint32(syscall.S_IFREG)
	if found.isDir {
		kind = syscall.S_IFDIR
	}
	return n.NewInode(ctx, &node{world: n.world, ino: found.ino}, fs.StableAttr{Mode: kind, Ino: found.ino})
}

func fill(n *inode, out *fuse.Attr) {
	out.Ino = n.ino
	out.Mode = n.mode & 0o7777
	out.Nlink = 1
	if n.isDir {
		out.Mode |= syscall.S_IFDIR
	} else {
		out.Mode |= syscall.S_IFREG
		out.Size = uint64(len(n.data))
		out.Blocks = (out.Size + 511) / 512
	}
	out.Blksize = blockSize
	out.SetTimes(&n.mtime, &n.mtime, &n.ctime)
}

func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if errno := n.world.faults.look(ctx, "lookup", n.where(name)); errno != 0 {
		return nil, errno
	}
	n.world.Lock()
	defer n.world.Unlock()
	ino, ok := n.inode().entries[name]
	if !ok {
		return nil, syscall.ENOENT
	}
	return n.child(ctx, n.world.disk.inodes[ino], out), 0
}

func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	if errno := n.world.faults.step(ctx, "create", n.where(name)); errno != 0 {
		return nil, nil, 0, errno
	}
	n.world.Lock()
	defer n.world.Unlock()
	if _, ok := n.inode().entries[name]; ok {
		return nil, nil, 0, syscall.EEXIST
	}
	made := n.world.disk.add(false, mode)
	n.world.disk.meta(&metaOp{changes: []change{{n.ino, name, made.ino}}})
	return n.child(ctx, made, out), nil, fuse.FOPEN_DIRECT_IO, 0
}

func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if errno := n.world.faults.step(ctx, "mkdir", n.where(name)); errno != 0 {
		return nil, errno
	}
	n.world.Lock()
	defer n.world.Unlock()
	if _, ok := n.inode().entries[name]; ok {
		return nil, syscall.EEXIST
	}
	made := n.world.disk.add(true, mode)
	n.world.disk.meta(&metaOp{changes: []change{{n.ino, name, made.ino}}})
	return n.child(ctx, made, out), 0
}

func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	if errno := n.world.faults.step(ctx, "unlink", n.where(name)); errno != 0 {
		return errno
	}
	n.world.Lock()
	defer n.world.Unlock()
	n.world.disk.meta(&metaOp{changes: []change{{n.ino, name, 0}}})
	return 0
}

func (n *node) Rmdir(ctx context.Context, name string) syscall.Errno {
	if errno := n.world.faults.step(ctx, "unlink", n.where(name)); errno != 0 {
		return errno
	}
	n.world.Lock()
	defer n.world.Unlock()
	if len(n.world.disk.inodes[n.inode().entries[name]].entries) > 0 {
		return syscall.ENOTEMPTY
	}
	n.world.disk.meta(&metaOp{changes: []change{{n.ino, name, 0}}})
	return 0
}

func (n *node) Rename(ctx context.Context, name string, newParent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	to := newParent.EmbeddedInode().Operations().(*node)
	if errno := n.world.faults.step(ctx, "rename", n.where(name), to.where(newName)); errno != 0 {
		return errno
	}
	if flags != 0 {
		return syscall.EINVAL
	}
	n.world.Lock()
	defer n.world.Unlock()
	ino := n.inode().entries[name]
	if old, ok := to.inode().entries[newName]; ok && n.world.disk.inodes[old].isDir != n.world.disk.inodes[ino].isDir {
		return syscall.EISDIR
	}
	n.world.disk.meta(&metaOp{changes: []change{{n.ino, name, 0}, {to.ino, newName, ino}}, ino: ino})
	return 0
}

func (n *node) Link(ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if errno := n.world.faults.step(ctx, "link", n.where(name)); errno != 0 {
		return nil, errno
	}
	n.world.Lock()
	defer n.world.Unlock()
	if _, ok := n.inode().entries[name]; ok {
		return nil, syscall.EEXIST
	}
	ino := target.EmbeddedInode().Operations().(*node).ino
	n.world.disk.meta(&metaOp{changes: []change{{n.ino, name, ino}}, ino: ino})
	return n.child(ctx, n.world.disk.inodes[ino], out), 0
}

func (n *node) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if errno := n.world.faults.look(ctx, "open", n.where("")); errno != 0 {
		return nil, 0, errno
	}
	return nil, fuse.FOPEN_DIRECT_IO, 0
}

func (n *node) Read(ctx context.Context, f fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	errno := n.world.faults.look(ctx, "read", n.where(""))
	if errno == short {
		dest, errno = dest[:(len(dest)+1)/2], 0
	}
	if errno != 0 {
		return nil, errno
	}
	n.world.Lock()
	defer n.world.Unlock()
	data := n.inode().data
	if off >= int64(len(data)) {
		return fuse.ReadResultData(nil), 0
	}
	return fuse.ReadResultData(dest[:copy(dest, data[off:])]), 0
}

func (n *node) Write(ctx context.Context, f fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	if errno := n.world.faults.stepWrite(ctx, "write", off+int64(len(data)), n.where("")); errno != 0 {
		return 0, errno
	}
	n.world.Lock()
	defer n.world.Unlock()
	n.inode().write(data, off)
	return uint32(len(data)), 0
}

func (n *node) Fsync(ctx context.Context, f fs.FileHandle, flags uint32) syscall.Errno {
	errno := n.world.faults.step(ctx, "fsync", n.where(""))
	if n.world.faults.dead() {
		return syscall.EIO
	}
	n.world.Lock()
	defer n.world.Unlock()
	if errno != 0 {
		n.world.disk.fsyncFailed(n.inode())
		return errno
	}
	n.world.disk.fsync(n.inode())
	return 0
}

func (n *node) Flush(ctx context.Context, f fs.FileHandle) syscall.Errno {
	errno := n.world.faults.step(ctx, "flush", n.where(""))
	if errno != 0 && !n.world.faults.dead() {
		n.world.Lock()
		defer n.world.Unlock()
		n.world.disk.fsyncFailed(n.inode())
	}
	return errno
}

func (n *node) Getattr(ctx context.Context, f fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	if errno := n.world.faults.look(ctx, "getattr", n.where("")); errno != 0 {
		return errno
	}
	n.world.Lock()
	defer n.world.Unlock()
	fill(n.inode(), &out.Attr)
	return 0
}

func (n *node) Setattr(ctx context.Context, f fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if errno := n.world.faults.step(ctx, "setattr", n.where("")); errno != 0 {
		return errno
	}
	n.world.Lock()
	defer n.world.Unlock()
	inode := n.inode()
	if size, ok := in.GetSize(); ok {
		inode.truncate(int64(size))
	}
	if mode, ok := in.GetMode(); ok {
		inode.mode = mode & 0o7777
	}
	if mtime, ok := in.GetMTime(); ok {
		inode.mtime = mtime
	}
	inode.ctime = time.Now()
	fill(inode, &out.Attr)
	return 0
}

func (n *node) Readdir(ctx context.Context) (fs.DirStream, syscall.Errno) {
	errno := n.world.faults.look(ctx, "readdir", n.where(""))
	if errno != 0 && errno != twice {
		return nil, errno
	}
	n.world.Lock()
	defer n.world.Unlock()
	var list []fuse.DirEntry
	for name, ino := range n.inode().entries {
		kind := uint32(syscall.S_IFREG)
		if n.world.disk.inodes[ino].isDir {
			kind = syscall.S_IFDIR
		}
		list = append(list, fuse.DirEntry{Name: name, Ino: ino, Mode: kind})
	}
	if errno == twice {
		list = append(list, list...)
	}
	return fs.NewListDirStream(list), 0
}

func (n *node) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	if errno := n.world.faults.look(ctx, "statfs", n.where("")); errno != 0 {
		return errno
	}
	out.Bsize, out.Frsize = blockSize, blockSize
	out.Blocks, out.Bfree, out.Bavail = 1<<20, 1<<20, 1<<20
	out.Files, out.Ffree, out.NameLen = 1<<20, 1<<20, 255
	return 0
}
