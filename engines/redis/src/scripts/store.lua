-- KEYS 5: snapshot. ARGV: epoch, offset, check, how far records may be forgotten, data.
local room, why = load_room()
if not room then return { why } end
local offset, forget = tonumber(ARGV[2]), tonumber(ARGV[4])
local newer = not room.snap or room.snap < offset
if newer and past(room, ARGV[1], offset, tonumber(ARGV[3])) == 'mine' then
  redis.call('SET', KEYS[5], ARGV[5])
  local floor = math.min(forget, offset)
  if floor > room.base then
    room.base_check = check_at(room, floor)
    if room.aside > 0 then forget_aside(room, room.base + 1, floor) end
    room.base = floor
  end
  redis.call('HSET', KEYS[1], 'epoch', room.epoch, 'head', text(room.head), 'check', text(room.check),
    'base', text(room.base), 'base_check', text(room.base_check), 'snap', text(offset), 'snap_check', ARGV[3])
  redis.call('XTRIM', KEYS[2], 'MINID', '=', text(room.base + 1) .. '-0')
  room.snap = offset
end
if not room.snap then return { 'none' } end
return { 'kept', room.epoch, text(room.snap) }
