-- KEYS 5: due. ARGV: epoch, offset, due or '', the room's name.
local room, why = load_room()
if not room then return { why } end
if room.untouched or ARGV[1] ~= room.epoch or tonumber(ARGV[2]) ~= room.head then return { 'ignored' } end
if ARGV[3] == '' then
  redis.call('ZREM', KEYS[5], ARGV[4])
else
  redis.call('ZADD', KEYS[5], ARGV[3], ARGV[4])
end
return { 'settled' }
