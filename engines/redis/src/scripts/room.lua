-- What stands in front of every script about a room. KEYS: 1 the room, 2 its log, 3 the first epoch of the slice, 4 what stands
-- beside the log: a stream keeps the bytes of what is deleted from it as long as anything beside them, so what was beside what
-- was erased is kept here. Epochs have 64 bits and stay text: a number here has 53.
local PRIME, FACTOR = 4294967291, 1000003

local function text(number) return string.format('%.0f', number) end

local function offset_of(entry) return tonumber(string.match(entry[1], '^(%d+)-0$')) end

-- One that stands beside the log, in the form of the log's own.
local function aside_at(offset)
  local kept = redis.call('HGET', KEYS[4], text(offset))
  if not kept then return nil end
  local line = string.find(kept, '\n', 1, true)
  local check, length = string.match(string.sub(kept, 1, line - 1), '^(%d+) (%d+)$')
  local data = line + tonumber(length)
  return { text(offset) .. '-0', { 'k', string.sub(kept, line + 1, data), 'd', string.sub(kept, data + 1), 'c', check } }
end

-- What follows an offset, so many or up to the end. Nothing: some of it is not there.
local function after_of(room, after, count)
  local upto = math.min(after + count, room.head)
  local some = redis.call('XRANGE', KEYS[2], text(after + 1) .. '-0', text(upto) .. '-0')
  local found, at = {}, 1
  for offset = after + 1, upto do
    local entry = some[at]
    if entry and offset_of(entry) == offset then
      at = at + 1
    else
      entry = room.aside > 0 and aside_at(offset)
      if not entry then return nil end
    end
    found[#found + 1] = entry
  end
  return found
end

local function forget_aside(room, from, upto)
  local gone = {}
  local function forget()
    if #gone > 0 then redis.call('HDEL', KEYS[4], unpack(gone)) end
    gone = {}
  end
  local function forgets(offset)
    gone[#gone + 1] = text(offset)
    if #gone == 512 then forget() end
  end
  if upto - from < room.aside then
    for offset = from, upto do forgets(offset) end
  else
    for _, field in ipairs(redis.call('HKEYS', KEYS[4])) do
      local offset = tonumber(field)
      if offset >= from and offset <= upto then forgets(offset) end
    end
  end
  forget()
  room.aside = redis.call('HLEN', KEYS[4])
  redis.call('HSET', KEYS[1], 'aside', text(room.aside))
end

-- Where the end of what is kept really is, after somebody cut the log: everything until then is still the room's past.
local function mend(room)
  local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
  local offset, check = last and offset_of(last), last and tonumber(last[2][6])
  if last and (not offset or offset > room.head) then return false end
  if room.aside > 0 then
    local at = offset or room.base
    local beside = aside_at(at + 1)
    while beside do
      offset, check, at = at + 1, tonumber(beside[2][6]), at + 1
      beside = aside_at(at + 1)
    end
    forget_aside(room, 0, room.base)
    forget_aside(room, at + 1, room.head)
  end
  if offset and offset > room.base and offset >= (room.snap or 0) then
    room.head, room.check = offset, check
  elseif room.snap then
    redis.call('DEL', KEYS[2], KEYS[4])
    room.aside = 0
    room.head, room.check, room.base, room.base_check = room.snap, room.snap_check, room.snap, room.snap_check
  elseif not offset then
    room.head, room.check = room.base, room.base_check
  else
    return false
  end
  if redis.call('XLEN', KEYS[2]) ~= room.head - room.base - room.aside then return false end
  redis.call('HSET', KEYS[1], 'head', text(room.head), 'check', text(room.check), 'base', text(room.base),
    'base_check', text(room.base_check))
  if room.aside == 0 then redis.call('HDEL', KEYS[1], 'aside') end
  if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('XSETID', KEYS[2], text(room.head) .. '-0') end
  return true
end

-- The room, or nothing and why.
local function load_room()
  local held = redis.call('HMGET', KEYS[1], 'epoch', 'head', 'check', 'base', 'base_check', 'snap', 'snap_check',
    'aside')
  if not held[1] then
    local first = redis.call('GET', KEYS[3])
    if not first then return nil, 'unmarked' end
    if redis.call('EXISTS', KEYS[2]) == 1 then return nil, 'damaged' end
    return { epoch = first, head = 0, check = 0, base = 0, base_check = 0, aside = 0, untouched = true }
  end
  local room = {
    epoch = held[1], head = tonumber(held[2]), check = tonumber(held[3]), base = tonumber(held[4]),
    base_check = tonumber(held[5]), snap = tonumber(held[6] or ''), snap_check = tonumber(held[7] or ''),
    aside = tonumber(held[8] or '0'),
  }
  if not (room.head and room.check and room.base and room.base_check) then return nil, 'damaged' end
  if redis.call('XLEN', KEYS[2]) ~= room.head - room.base - room.aside and not mend(room) then return nil, 'damaged' end
  return room
end

local function check_at(room, offset)
  if offset == room.head then return room.check end
  if offset == room.base then return room.base_check end
  local entry = redis.call('XRANGE', KEYS[2], text(offset) .. '-0', text(offset) .. '-0')[1]
  if not entry and room.aside > 0 then entry = aside_at(offset) end
  return entry and tonumber(entry[2][6])
end

-- Whether who has seen this has seen the room's own past.
local function past(room, epoch, offset, check)
  if epoch ~= room.epoch or offset > room.head then return 'lost' end
  if offset < room.base then return 'behind' end
  if check_at(room, offset) ~= check then return 'lost' end
  return 'mine'
end
