package kvcache

// Suspend says that the engine cannot be heard: what it holds is not known, and counts for nothing in its fleet, until Resume.
func (x *Index) Suspend() {
	if x.suspended {
		return
	}
	x.EndBatch()
	x.share((*Fleet).leaveSlot)
	x.suspended = true
	defer x.fleet.lock().unlock()
	x.announce()
}

// Resume says that the engine is heard again. Of what the engine does, only Gap and Clear may come before it.
func (x *Index) Resume() {
	if !x.suspended {
		return
	}
	x.suspended = false
	x.share((*Fleet).arriveSlot)
	defer x.fleet.lock().unlock()
	x.announce()
}
