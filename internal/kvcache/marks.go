package kvcache

import "sort"

// maxMarks bounds the marks: 16 KiB.
const maxMarks = 1 << 11

// marks tell when places of the recency list were taken. Places and times rise together, so a few of them tell the time of every
// place, to within the time between two marks.
type marks struct {
	all  []mark
	step uint32 // ticks between two marks, at least
}

type mark struct{ place, tick uint32 }

// put notes that a place was taken at a time. When full, every other mark goes.
func (m *marks) put(place, tick uint32) {
	n := len(m.all)
	if n > 0 && tick-m.all[n-1].tick <= m.step {
		return
	}
	if n == maxMarks {
		for i := range n / 2 {
			m.all[i] = m.all[2*i]
		}
		m.all = m.all[:n/2]
		m.step = 2*m.step + 1
	}
	m.all = append(m.all, mark{place, tick})
}

// move gives the marks the new places of a list that closed its holes, and drops those whose places are all gone.
func (m *marks) move(place func(uint32) uint32) {
	kept := m.all[:0]
	for _, k := range m.all {
		k.place = max(1, place(k.place)) // 0 when the list holds nothing as old
		if n := len(kept); n > 0 && kept[n-1].place == k.place {
			kept[n-1] = k
		} else {
			kept = append(kept, k)
		}
	}
	if m.all = kept; len(kept) < maxMarks/4 {
		m.step /= 2
	}
}

// reader looks up one place after another; most of them lie close together.
func (m *marks) reader() markReader { return markReader{of: m, from: 1, to: 0} }

// markReader holds the places between two marks, [from, to).
type markReader struct {
	of             *marks
	from, to, tick uint32
}

// at is the time at which a place was taken, or of the first mark if it is older.
func (r *markReader) at(place uint32) uint32 {
	if r.from <= place && place < r.to {
		return r.tick
	}
	all := r.of.all
	if len(all) == 0 {
		return 0
	}
	i := max(1, sort.Search(len(all), func(i int) bool { return all[i].place > place }))
	r.from, r.tick, r.to = all[i-1].place, all[i-1].tick, ^uint32(0)
	if i < len(all) {
		r.to = all[i].place
	}
	return r.tick
}
