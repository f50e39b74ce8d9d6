-- KEYS 5: snapshot, 6: who is here, 7: soft. ARGV: load, go_on or read; epoch, offset, check, limit.
-- One answer: a verdict, and where it is 'mine' the room, where the records begin and with which check, the snapshot,
-- the records, who is here, what is soft, and the time.
local room, why = load_room()
if not room then return { why } end
local mode, offset = ARGV[1], tonumber(ARGV[3])
local from, from_check, snapshot
if mode == 'load' then
  from, from_check = room.base, room.base_check
  if room.snap then
    from, from_check = room.snap, room.snap_check
    snapshot = redis.call('GET', KEYS[5])
    if not snapshot then return { 'damaged' } end
  end
elseif mode == 'go_on' then
  local verdict = past(room, ARGV[2], offset, tonumber(ARGV[4]))
  if verdict ~= 'mine' then return { verdict } end
  from, from_check = offset, tonumber(ARGV[4])
else
  if ARGV[2] ~= room.epoch or offset > room.head then return { 'lost' } end
  if offset < room.base then return { 'behind', text(room.base) } end
  from, from_check = offset, check_at(room, offset)
  if not from_check then return { 'damaged' } end
end

-- A page: so many records, or as many as fill a mebibyte.
local BYTES_MAX = 1048576
local records, limit, bytes, after = {}, tonumber(ARGV[5]), 0, from
while limit > 0 and after < room.head and bytes < BYTES_MAX do
  local some = after_of(room, after, math.min(limit, 16))
  if not some then return { 'damaged' } end
  for _, entry in ipairs(some) do
    after = after + 1
    local fields = entry[2]
    records[#records + 1] = text(after)
    records[#records + 1] = fields[2]
    records[#records + 1] = fields[4]
    records[#records + 1] = fields[6]
    bytes = bytes + #fields[2] + #fields[4]
    limit = limit - 1
    if bytes >= BYTES_MAX then break end
  end
end

local here, soft = {}, {}
if mode ~= 'read' then
  here, soft = redis.call('HGETALL', KEYS[6]), redis.call('HGETALL', KEYS[7])
end
local now = redis.call('TIME')
return {
  'mine', room.epoch, text(room.head), text(room.check), text(room.base), text(from), text(from_check),
  snapshot and '1' or '0', snapshot or '', records, here, soft, now[1], now[2],
}
