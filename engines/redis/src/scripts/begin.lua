-- KEYS 5: snapshot. ARGV: the old epoch, offset, check; the new epoch, offset, check, data; PUBLISH or SPUBLISH, channel,
-- news.
local room, why = load_room()
if not room then return { why } end
local function is_later(new, old) return #new > #old or (#new == #old and new > old) end
local is_end = ARGV[1] == room.epoch and tonumber(ARGV[2]) == room.head and tonumber(ARGV[3]) == room.check
local in_its_own = room.untouched and ARGV[4] == room.epoch
if not is_end or not (in_its_own or is_later(ARGV[4], room.epoch)) then return { 'stands', room.epoch } end
redis.call('SET', KEYS[5], ARGV[7])
redis.call('HSET', KEYS[1], 'epoch', ARGV[4], 'head', ARGV[5], 'check', ARGV[6], 'base', ARGV[5],
  'base_check', ARGV[6], 'snap', ARGV[5], 'snap_check', ARGV[6])
redis.call('HDEL', KEYS[1], 'aside')
redis.call('DEL', KEYS[2], KEYS[4])
redis.call(ARGV[8], ARGV[9], ARGV[10])
return { 'began', ARGV[4] }
