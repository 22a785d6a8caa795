// Command realnfs FOLDER MOUNTPOINT exports a folder by NFS version 3 over TCP and mounts that export, for reading: a server and
// a client that speak the protocol to each other, on machines whose kernel has neither. It writes a line when all is
// mounted, and ends with its stdin.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path"
	"sync"
	"syscall"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	nfs "github.com/willscott/go-nfs"
	"github.com/willscott/go-nfs/helpers"
	client "github.com/willscott/go-nfs-client/nfs"
	"github.com/willscott/go-nfs-client/nfs/rpc"
)

// node is a file or folder of the export; its path is that of its inode.
type node struct {
	fs.Inode
	share *share
}

// share is the client: one connection, one question at a time.
type share struct {
	sync.Mutex
	target *client.Target
}

var (
	_ = (fs.NodeLookuper)((*node)(nil))
	_ = (fs.NodeGetattrer)((*node)(nil))
	_ = (fs.NodeReaddirer)((*node)(nil))
	_ = (fs.NodeOpener)((*node)(nil))
	_ = (fs.NodeReadlinker)((*node)(nil))
	_ = (fs.NodeStatfser)((*node)(nil))
)

func (n *node) where(name string) string { return path.Join("/", n.Path(nil), name) }

func kindOf(nfsType uint32) uint32 {
	switch nfsType {
	case client.NF3Dir:
		return syscall.S_IFDIR
	case client.NF3Lnk:
		return syscall.S_IFLNK
	default:
		return syscall.S_IFREG
	}
}

func fill(from *client.Fattr, out *fuse.Attr) {
	out.Ino = from.Fileid
	out.Mode = kindOf(from.Type) | from.FileMode&0o7777
	out.Nlink = from.Nlink
	out.Size = from.Filesize
	out.Mtime, out.Mtimensec = uint64(from.Mtime.Seconds), from.Mtime.Nseconds
	out.Ctime, out.Ctimensec = uint64(from.Ctime.Seconds), from.Ctime.Nseconds
}

func errnoOf(err error) syscall.Errno {
	var said *client.Error
	switch {
	case err == nil:
		return 0
	case errors.Is(err, os.ErrNotExist):
		return syscall.ENOENT
	case errors.Is(err, os.ErrPermission):
		return syscall.EACCES
	case errors.As(err, &said):
		// The numbers of NFS are those of Unix, up to 70, which is ESTALE.
		if said.ErrorNum == 70 {
			return syscall.ESTALE
		}
		return syscall.Errno(said.ErrorNum)
	default:
		return syscall.EIO
	}
}

func (n *node) look(name string) (*client.Fattr, syscall.Errno) {
	n.share.Lock()
	defer n.share.Unlock()
	info, _, err := n.share.target.Lookup(n.where(name), false)
	if err != nil {
		return nil, errnoOf(err)
	}
	found, ok := info.(*client.Fattr)
	if !ok {
		return nil, syscall.EIO
	}
	return found, 0
}

func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	found, errno := n.look(name)
	if errno != 0 {
		return nil, errno
	}
	fill(found, &out.Attr)
	stable := fs.StableAttr{Mode: kindOf(found.Type), Ino: found.Fileid}
	return n.NewInode(ctx, &node{share: n.share}, stable), 0
}

func (n *node) Getattr(ctx context.Context, f fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	found, errno := n.look("")
	if errno == 0 {
		fill(found, &out.Attr)
	}
	return errno
}

func (n *node) Readdir(ctx context.Context) (fs.DirStream, syscall.Errno) {
	n.share.Lock()
	defer n.share.Unlock()
	found, err := n.share.target.ReadDirPlus(n.where(""))
	if err != nil {
		return nil, errnoOf(err)
	}
	var list []fuse.DirEntry
	for _, one := range found {
		list = append(list, fuse.DirEntry{Name: one.FileName, Ino: one.FileId, Mode: kindOf(one.Attr.Attr.Type)})
	}
	return fs.NewListDirStream(list), 0
}

func (n *node) Readlink(ctx context.Context) ([]byte, syscall.Errno) {
	n.share.Lock()
	defer n.share.Unlock()
	file, err := n.share.target.Open(n.where(""))
	if err != nil {
		return nil, errnoOf(err)
	}
	defer file.Close()
	to, err := file.Readlink()
	return []byte(to), errnoOf(err)
}

// opened is an open file of the export.
type opened struct {
	share *share
	file  *client.File
}

func (n *node) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	n.share.Lock()
	defer n.share.Unlock()
	file, err := n.share.target.Open(n.where(""))
	if err != nil {
		return nil, 0, errnoOf(err)
	}
	return &opened{n.share, file}, fuse.FOPEN_DIRECT_IO, 0
}

func (o *opened) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	o.share.Lock()
	defer o.share.Unlock()
	filled := 0
	for filled < len(dest) {
		count, err := o.file.ReadAt(dest[filled:], off+int64(filled))
		filled += count
		if errors.Is(err, io.EOF) || (err == nil && count == 0) {
			break
		}
		if err != nil {
			return nil, errnoOf(err)
		}
	}
	return fuse.ReadResultData(dest[:filled]), 0
}

func (n *node) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	n.share.Lock()
	defer n.share.Unlock()
	_, err := n.share.target.FSInfo()
	out.Bsize, out.NameLen = 4096, 255
	return errnoOf(err)
}

// serve exports a folder on a free port.
func serve(folder string) (net.Addr, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	handler := helpers.NewCachingHandler(helpers.NewNullAuthHandler(osfs.New(folder)), 4096)
	go func() { log.Fatal(nfs.Serve(listener, handler)) }()
	return listener.Addr(), nil
}

func connect(at net.Addr) (*client.Target, error) {
	connection, err := rpc.DialTCP("tcp", at.String(), false)
	if err != nil {
		return nil, err
	}
	mount := client.Mount{Client: connection}
	return mount.Mount("/", rpc.AuthNull)
}

func run(folder, point string) error {
	at, err := serve(folder)
	if err != nil {
		return err
	}
	target, err := connect(at)
	if err != nil {
		return err
	}
	server, err := fs.Mount(point, &node{share: &share{target: target}}, &fs.Options{
		MountOptions: fuse.MountOptions{
			AllowOther: true, DirectMount: true, FsName: at.String() + ":/", Name: "nfs", Options: []string{"ro"},
		},
	})
	if err != nil {
		return err
	}
	defer func() { _ = syscall.Unmount(point, syscall.MNT_DETACH) }()
	_ = server
	fmt.Println("mounted")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return nil
}

func main() {
	log.SetOutput(os.Stderr)
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
