/*
 * An AC adapter whose presence is a byte of QEMU's test device (0: present), and a device whose status,
 * when read, tells the adapter's driver of a change, as a real firmware's interrupt would.
 */
DefinitionBlock ("", "SSDT", 2, "NOSPOF", "LABAC", 1)
{
    Scope (\_SB)
    {
        OperationRegion (LABR, SystemIO, 0xE0, 4)
        Field (LABR, ByteAcc, NoLock, Preserve) { ACB, 8 }
        Name (ACO, 0)
        Device (AC0)
        {
            Name (_HID, "ACPI0003")
            Name (_PCL, Package () { \_SB })
            Method (_PSR) { If (ACB == 0) { Return (1) } Return (0) }
            Method (_STA) { Return (0x0F) }
        }
        Device (ACT0)
        {
            Name (_HID, "NSPF0001")
            Method (_STA, 0, Serialized)
            {
                If (ACB != ACO) { ACO = ACB; Notify (AC0, 0x80) }
                Return (0x0F)
            }
        }
    }
}
