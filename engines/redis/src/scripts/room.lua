-- What stands in front of every script about a room. KEYS: 1 the room, 2 its log, 3 the first epoch of the slice.
-- Epochs have 64 bits and stay text: a number here has 53.
local PRIME, FACTOR = 4294967291, 1000003

local function text(number) return string.format('%.0f', number) end

local function offset_of(entry) return tonumber(string.match(entry[1], '^(%d+)-0$')) end

-- Where the end of what is kept really is, after somebody cut the log: everything until then is still the room's past.
local function mend(room)
  local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
  local offset = last and offset_of(last)
  if last and (not offset or offset > room.head) then return false end
  if offset and offset > room.base and offset >= (room.snap or 0) then
    room.head, room.check = offset, tonumber(last[2][6])
  elseif room.snap then
    redis.call('DEL', KEYS[2])
    room.head, room.check, room.base, room.base_check = room.snap, room.snap_check, room.snap, room.snap_check
  elseif not last then
    room.head, room.check = room.base, room.base_check
  else
    return false
  end
  if redis.call('XLEN', KEYS[2]) ~= room.head - room.base then return false end
  redis.call('HSET', KEYS[1], 'head', text(room.head), 'check', text(room.check), 'base', text(room.base),
    'base_check', text(room.base_check))
  if last and redis.call('EXISTS', KEYS[2]) == 1 then redis.call('XSETID', KEYS[2], text(room.head) .. '-0') end
  return true
end

-- The room, or nothing and why.
local function load_room()
  local held = redis.call('HMGET', KEYS[1], 'epoch', 'head', 'check', 'base', 'base_check', 'snap', 'snap_check')
  if not held[1] then
    local first = redis.call('GET', KEYS[3])
    if not first then return nil, 'unmarked' end
    if redis.call('EXISTS', KEYS[2]) == 1 then return nil, 'damaged' end
    return { epoch = first, head = 0, check = 0, base = 0, base_check = 0, untouched = true }
  end
  local room = {
    epoch = held[1], head = tonumber(held[2]), check = tonumber(held[3]), base = tonumber(held[4]),
    base_check = tonumber(held[5]), snap = tonumber(held[6] or ''), snap_check = tonumber(held[7] or ''),
  }
  if not (room.head and room.check and room.base and room.base_check) then return nil, 'damaged' end
  if redis.call('XLEN', KEYS[2]) ~= room.head - room.base and not mend(room) then return nil, 'damaged' end
  return room
end

local function check_at(room, offset)
  if offset == room.head then return room.check end
  if offset == room.base then return room.base_check end
  local entry = redis.call('XRANGE', KEYS[2], text(offset) .. '-0', text(offset) .. '-0')[1]
  return entry and tonumber(entry[2][6])
end

-- Whether who has seen this has seen the room's own past.
local function past(room, epoch, offset, check)
  if epoch ~= room.epoch or offset > room.head then return 'lost' end
  if offset < room.base then return 'behind' end
  if check_at(room, offset) ~= check then return 'lost' end
  return 'mine'
end
