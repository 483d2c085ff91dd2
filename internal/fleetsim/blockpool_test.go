package fleetsim

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// plainPool is the pool written down plainly: every page a struct, the free ones in a slice in order of eviction.
type plainPool struct {
	pages []plainPage
	free  []int
}

type plainPage struct {
	hash   uint64
	cached bool
	named  bool // findable
	stored int  // order in which it was stored
	refs   int
}

func newPlainPool(n int) *plainPool {
	p := &plainPool{pages: make([]plainPage, n)}
	for i := range n {
		p.free = append(p.free, i)
	}
	return p
}

func (p *plainPool) lookup(hash uint64) int {
	found := -1
	for i, g := range p.pages {
		if g.cached && g.named && g.hash == hash && (found < 0 || g.stored < p.pages[found].stored) {
			found = i
		}
	}
	return found
}

func (p *plainPool) touch(i int) {
	if p.pages[i].refs == 0 {
		p.free = slices.DeleteFunc(p.free, func(f int) bool { return f == i })
	}
	p.pages[i].refs++
}

func (p *plainPool) take() int {
	i := p.free[0]
	p.free = p.free[1:]
	p.pages[i] = plainPage{refs: 1}
	return i
}

// release gives pages back, the last first.
func (p *plainPool) release(pages []int) {
	for _, i := range slices.Backward(pages) {
		g := &p.pages[i]
		if g.refs--; g.refs > 0 {
			continue
		}
		if g.cached {
			p.free = append(p.free, i)
		} else {
			p.free = slices.Insert(p.free, 0, i)
		}
	}
}

// holder is what both pools give to the same request.
type holder struct {
	blocks   []int32
	nameless int
	full     int // of the nameless
	plain    []int
}

// Random use of the pool and of the plain one: the same contents can be found at any time, the same number of pages is free.
func TestPoolAgainstAPlainOne(t *testing.T) {
	const pages, contents = 40, 25
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		fast, plain := newBlockPool(pages, true), newPlainPool(pages)
		var holders []*holder
		stored := 0
		for range 400 {
			if len(holders) > 0 && random.IntN(2) == 0 {
				i := random.IntN(len(holders))
				h := holders[i]
				fast.releasePages(h.nameless, h.full)
				fast.release(h.blocks)
				plain.release(h.plain)
				holders = slices.Delete(holders, i, i+1)
			} else if h := grab(random, fast, plain, contents, &stored); h != nil {
				holders = append(holders, h)
			}
			if fast.free != len(plain.free) {
				t.Fatalf("seed %d: %d pages free, want %d", seed, fast.free, len(plain.free))
			}
			for hash := range uint64(contents) {
				got, want := fast.lookup(hash), plain.lookup(hash)
				if (got == none) != (want < 0) {
					t.Fatalf("seed %d: hash %d found %t, want %t", seed, hash, got != none, want >= 0)
				}
				if got != none && int(fast.blocks[got].refs) != plain.pages[want].refs {
					t.Fatalf("seed %d: hash %d has %d holders, want %d", seed, hash, fast.blocks[got].refs, plain.pages[want].refs)
				}
			}
			checkIndex(t, fast)
		}
		if fast.evictions == 0 {
			t.Errorf("seed %d: nothing was evicted", seed)
		}
	}
}

// grab makes a request hold some cached blocks, some new ones and some nameless pages.
func grab(random *rand.Rand, fast *blockPool, plain *plainPool, contents uint64, stored *int) *holder {
	h := &holder{}
	for range random.IntN(3) {
		hash := random.Uint64N(contents)
		id := fast.lookup(hash)
		if id == none {
			continue
		}
		fast.touch(id)
		i := plain.lookup(hash)
		plain.touch(i)
		h.blocks, h.plain = append(h.blocks, id), append(h.plain, i)
	}
	for range random.IntN(4) {
		if fast.free == 0 {
			break
		}
		id, i := fast.take(), plain.take()
		if random.IntN(4) > 0 { // duplicates among them
			hash := random.Uint64N(contents)
			fast.store(id, hash)
			*stored++
			g := &plain.pages[i]
			g.hash, g.cached, g.named, g.stored = hash, true, true, *stored
		}
		h.blocks, h.plain = append(h.blocks, id), append(h.plain, i)
	}
	if n := min(random.IntN(8), fast.free); n > 0 {
		fast.takePages(n)
		h.nameless, h.full = n, random.IntN(n+1)
		for k := range n {
			i := plain.take()
			plain.pages[i].cached = k < h.full
			h.plain = append(h.plain, i)
		}
	}
	return h
}

// The index keeps what it holds through any order of additions and removals, long chains included.
func TestHashIndexAgainstAMap(t *testing.T) {
	const n = 64
	random := rand.New(rand.NewPCG(1, 2))
	blocks := make([]block, n)
	index, want := newHashIndex(), map[uint64]int32{}
	var unused []int32
	for id := range int32(n) {
		unused = append(unused, id)
	}
	for range 20_000 {
		hash := random.Uint64N(40) * 128 // many share a home
		id, slot := index.find(blocks, hash)
		known, ok := want[hash]
		if (id != none) != ok || (ok && id != known) {
			t.Fatalf("hash %d: found block %d, want %d (%t)", hash, id, known, ok)
		}
		if ok {
			index.drop(slot)
			delete(want, hash)
			unused = append(unused, id)
			continue
		}
		id, unused = unused[0], unused[1:]
		blocks[id].hash = hash
		index.enter(slot, id, hash)
		want[hash] = id
	}
}

func TestShareableBlocksAreThoseWithSharedContent(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		r := &request{unique: 99, Request: Request{PromptTokens: 1 + random.IntN(400), HashTokens: 1 + random.IntN(60)}}
		if random.IntN(2) == 0 {
			r.PrefixID, r.PrefixTokens = 5, random.IntN(r.PromptTokens+1)
		}
		for i := range random.IntN(8) {
			r.HashIDs = append(r.HashIDs, uint64(i))
		}
		size := 1 + random.IntN(40)
		shared := 0
		for i := range 500 / size {
			if r.blockHash(i, size) != mix(r.unique, uint64(i)) {
				if shared++; shared != i+1 {
					t.Fatalf("block %d is shared, one before it is not", i)
				}
			}
		}
		if got := r.shareableBlocks(size); got != shared {
			t.Fatalf("%d shareable blocks of %d tokens, want %d: %+v", got, size, shared, r.Request)
		}
	}
}

func TestEvictionTakesTheOldestLeafFirst(t *testing.T) {
	p := newBlockPool(4, true)
	hold := func(hashes ...uint64) []int32 {
		var ids []int32
		for _, h := range hashes {
			id := p.take()
			p.store(id, h)
			ids = append(ids, id)
		}
		return ids
	}
	old, young := hold(1, 2), hold(3, 4)
	p.release(old)
	p.release(young)
	for _, want := range []uint64{2, 1, 4, 3} {
		if p.lookup(want) == none {
			t.Fatalf("hash %d was evicted too early", want)
		}
		p.take()
		if p.lookup(want) != none {
			t.Fatalf("hash %d was not the next to be evicted", want)
		}
	}
}

func TestPagesWithoutContentAreTakenFirst(t *testing.T) {
	p := newBlockPool(4, true)
	cached := p.take()
	p.store(cached, 1)
	empty := p.take()
	p.release([]int32{cached, empty})
	p.takePages(3)
	if p.lookup(1) == none || p.free != 1 || p.cached != 1 {
		t.Errorf("%d free, %d cached; the only cached block must go last", p.free, p.cached)
	}
}

func TestRunsAreEvictedPageByPageInTheirTurn(t *testing.T) {
	p := newBlockPool(6, true)
	first, last := p.take(), p.take()
	p.store(first, 1)
	p.store(last, 2)
	p.takePages(4)
	p.release([]int32{first})
	p.releasePages(4, 3) // one of the four has no content
	p.release([]int32{last})
	for i, want := range []struct{ first, last bool }{{true, true}, {false, true}, {false, true}, {false, true}, {false, true}, {false, false}} {
		p.takePages(1)
		if got := p.lookup(1) != none; got != want.first {
			t.Errorf("after %d pages: first cached %t", i+1, got)
		}
		if got := p.lookup(2) != none; got != want.last {
			t.Errorf("after %d pages: last cached %t", i+1, got)
		}
	}
	if p.free != 0 || p.cached != 0 {
		t.Errorf("%d free, %d cached", p.free, p.cached)
	}
}

func TestDuplicateHashesLiveSideBySide(t *testing.T) {
	p := newBlockPool(3, true)
	a, b := p.take(), p.take()
	p.store(a, 9)
	p.store(b, 9)
	p.release([]int32{a})
	p.take() // the third block
	p.take() // evicts a
	if got := p.lookup(9); got != b {
		t.Errorf("lookup: got block %d, want the duplicate %d", got, b)
	}
}
